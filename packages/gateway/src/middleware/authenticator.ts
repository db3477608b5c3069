import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import {
  type Authentication,
  type Credentials,
  type Principal,
  rejectionResponse,
  type RejectionResponse,
} from "../authentication/index.ts";
import { RequestRejected } from "../errors/index.ts";

/** Who sent a request, or why it is rejected. */
export type Decision = Principal | RequestRejected;

/**
 * What middleware needs from a gateway: `createGateway` returns one, and `authenticatorOf` makes one of
 * `Authentication`.
 */
export interface Authenticator {
  /** Decides at once if nothing has to be awaited. Never throws, and never rejects. */
  readonly decide: (credentials: Credentials) => Decision | Promise<Decision>;
  /** The response to a rejected request. */
  readonly reject: (rejected: RequestRejected) => RejectionResponse;
}

/**
 * Returns the authenticator that middleware uses, of the service `Authentication`. `realm` is the name of the protected space
 * in `WWW-Authenticate`, default `agent-auth`. `context` has the loggers and the tracer of requests that wait for a store.
 *
 * @example
 * ```ts
 * import { Authentication } from "@agent-auth/gateway/authentication";
 * import { authenticatorOf } from "@agent-auth/gateway/middleware";
 * import { AgentRegistry, makeMemoryRegistry } from "@agent-auth/gateway/registry";
 * import * as Effect from "effect/Effect";
 * import * as Layer from "effect/Layer";
 *
 * const registry = Layer.succeed(AgentRegistry, makeMemoryRegistry().service);
 * const layer = Layer.provide(Authentication.layer(), registry);
 * const program = Authentication.use((service) => Effect.succeed(authenticatorOf(service)));
 * const authenticator = await Effect.runPromise(program.pipe(Effect.provide(layer)));
 * ```
 */
export const authenticatorOf = (
  authentication: Authentication["Service"],
  options: { readonly realm?: string; readonly context?: Context.Context<never> } = {},
): Authenticator => {
  const { realm = "agent-auth", context = Context.empty() } = options;
  const run = Effect.runPromiseWith(context);
  const { acceptsBearer, authenticateNow } = authentication;
  return {
    decide: (credentials) => {
      const verdict = authenticateNow(credentials);
      // A rejection is an Effect, too: it can be yielded.
      if (verdict instanceof RequestRejected || !Effect.isEffect(verdict)) return verdict;
      return run(
        Effect.catchCause(
          Effect.catch(verdict, (rejected) => Effect.succeed<Decision>(rejected)),
          () => Effect.succeed<Decision>(interrupted),
        ),
      );
    },
    reject: (rejected) => rejectionResponse(rejected, { realm, acceptsBearer }),
  };
};

/** The decision if a service of the program interrupts the fiber; failures and defects are rejections already. */
const interrupted = new RequestRejected({
  reason: "store_unavailable",
  message: "the credential cannot be checked at the moment",
  retryAfterSeconds: 1,
});

/** The principals of requests that passed. */
const principals = new WeakMap<object, Principal>();

export const remember = (request: object, principal: Principal): void => {
  principals.set(request, principal);
};

/**
 * Returns who sent a request that passed the middleware: of Node, Express, Fastify (its `raw` request, too) or the Web. Throws
 * `TypeError` for a request that did not pass it, so that a forgotten middleware is noticed.
 *
 * @example
 * ```ts
 * import { principalOf } from "@agent-auth/gateway/middleware";
 *
 * try {
 *   principalOf(new Request("https://models.example"));
 * } catch (error) {
 *   if (!(error instanceof TypeError)) throw error;
 * }
 * ```
 */
export const principalOf = (request: object): Principal => {
  const principal = principals.get(request);
  if (principal === undefined) throw new TypeError("the request did not pass the middleware");
  return principal;
};

/**
 * Returns the source of an address for limits: the address, or the first 64 bits of an IPv6 address, since one customer
 * usually owns the whole /64 network.
 *
 * @example
 * ```ts
 * import { sourceOfAddress } from "@agent-auth/gateway/middleware";
 *
 * sourceOfAddress("2001:db8:1:2:3:4:5:6"); // "2001:db8:1:2::/64"
 * ```
 */
export const sourceOfAddress = (address: string): string => {
  if (!address.includes(":")) return address;
  const mapped = /^::ffff:([\d.]+)$/i.exec(address)?.[1];
  if (mapped !== undefined) return mapped;
  const [head = ""] = address.split("::", 1);
  const groups = head === "" ? [] : head.split(":");
  return `${groups.slice(0, 4).join(":")}::/64`;
};
