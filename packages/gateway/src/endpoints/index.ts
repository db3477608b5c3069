import * as Clock from "effect/Clock";
import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import * as Option from "effect/Option";
import { Authentication } from "../authentication/index.ts";
import { reject } from "../authentication/rejection.ts";
import { makeFailureLog } from "../errors/failure-log.ts";
import { type RequestRejected, type SigningKeyInvalid, StoreUnavailable } from "../errors/index.ts";
import { AgentIssuer } from "../issuer/index.ts";
import { makeWindowCounter, type RateLimit } from "../limits/index.ts";
import { AgentRegistry } from "../registry/index.ts";
import { credentialsOf } from "./credentials.ts";
import {
  type AuthorizeRegistration,
  type EndpointResult,
  jwksResponse,
  registerAgent,
  registerTask,
  type TaskOptions,
  whoamiResponse,
} from "./handlers.ts";
import { EndpointError, responding, unexpected } from "./response.ts";

export {
  type AuthorizeRegistration,
  jwksResponse,
  registerAgent,
  registerTask,
  type TaskIdField,
  type TaskOptions,
  whoamiResponse,
} from "./handlers.ts";
export { type ChallengeOptions, EndpointError, responding } from "./response.ts";

/** How the endpoints behave. */
export interface EndpointsOptions extends Omit<TaskOptions, "registry"> {
  /**
   * Finds out for whom an agent is registered. Default: the person whose access token is sent, who needs an account.
   */
  readonly authorizeRegistration?: AuthorizeRegistration;
  /** Name of the protected space in `WWW-Authenticate`. Default `agent-auth`. */
  readonly realm?: string;
  /**
   * Returns the source of a request, for the limits of failed verifications; see `AuthenticationOptions`. Default: none,
   * since a Web `Request` does not have its remote address.
   */
  readonly source?: (request: Request) => string | undefined;
  /** Rejected requests of one source to these endpoints. Default 100 in 10 seconds; null: unlimited. */
  readonly failuresPerSource?: RateLimit | null;
}

/** Base paths from which clients derive URLs, the bare origin included. */
const anyBase = "(?:/backend-api(?:/codex)?|/api/accounts|/api/codex)?";

const routes = {
  jwks: /^(?:\/backend-api\/wham|\/api\/codex)\/agent-identities\/jwks$/,
  registerTask: new RegExp(`^${anyBase}/v1/agent/([^/]+)/task/register$`),
  registerAgent: new RegExp(`^${anyBase}/v1/agent/register$`),
  whoami: new RegExp(`^${anyBase}/v1/user-auth-credential/whoami$`),
};

const methodOf: Readonly<Record<keyof typeof routes, "GET" | "POST">> = {
  jwks: "GET",
  registerTask: "POST",
  registerAgent: "POST",
  whoami: "GET",
};

const decodeSegment = (segment: string): string => {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
};

/** A signing key that cannot be used is a failure of the server, like a store that is down. */
const keysUnavailable = ({ message }: SigningKeyInvalid) =>
  new StoreUnavailable({ store: "signing keys", problem: message });

/** The error that the sender of an invalid token of this issuer gets. */
const rejectIdentity = (error: IdentityError): RequestRejected | StoreUnavailable => {
  if (error._tag === "StoreUnavailable") return error;
  if (error._tag === "SigningKeyInvalid") return keysUnavailable(error);
  return reject(error._tag === "JwtExpired" ? "token_expired" : "invalid_token", error.message);
};

/**
 * The HTTP endpoints that agents and their clients call, as Web-standard handlers: key set, agent registration, task
 * registration and whoami, under the paths of the protocol (docs/protocol.md §5). Requests to other paths are left to you.
 *
 * @example
 * ```ts
 * import { Authentication } from "@agent-auth/gateway/authentication";
 * import { Endpoints } from "@agent-auth/gateway/endpoints";
 * import { AgentRegistry, makeMemoryRegistry } from "@agent-auth/gateway/registry";
 * import * as Effect from "effect/Effect";
 * import * as Layer from "effect/Layer";
 *
 * const registry = Layer.succeed(AgentRegistry, makeMemoryRegistry().service);
 * const layer = Endpoints.layer().pipe(
 *   Layer.provide(Authentication.layer()),
 *   Layer.provide(registry),
 * );
 * const request = new Request("https://codex.example/v1/user-auth-credential/whoami");
 * const program = Endpoints.use((endpoints) => endpoints.handle(request));
 * const response = await Effect.runPromise(program.pipe(Effect.provide(layer)));
 * response?.status; // 401
 * ```
 */
export class Endpoints extends Context.Service<
  Endpoints,
  {
    /** The response, or undefined if the path is not that of an endpoint. */
    readonly handle: (request: Request) => Effect.Effect<Response | undefined>;
  }
>()("@agent-auth/gateway/endpoints") {
  /** Uses `AgentIssuer` if it is provided; without it, there is no key set. */
  static readonly layer = (
    options: EndpointsOptions = {},
  ): Layer.Layer<Endpoints, never, AgentRegistry | Authentication> =>
    Layer.effect(
      Endpoints,
      Effect.gen(function* () {
        const registry = yield* AgentRegistry;
        const authentication = yield* Authentication;
        const issuer = Option.getOrUndefined(yield* Effect.serviceOption(AgentIssuer));
        const { acceptsBearer, authenticate } = authentication;
        const challenges = { realm: options.realm ?? "agent-auth", acceptsBearer };
        const principalOf = (request: Request) =>
          authenticate(credentialsOf(request, options.source?.(request)));

        const authorize: AuthorizeRegistration =
          options.authorizeRegistration ??
          ((request) =>
            Effect.flatMap(principalOf(request), (principal) =>
              principal.kind === "user" && principal.account !== undefined
                ? Effect.succeed(principal.account)
                : Effect.fail(
                    reject("not_allowed", "only a person with an account can register agents"),
                  ),
            ));

        /** An identity JWT as a bearer token: only its issuer can say whose it is. */
        const identityOf = Effect.fnUntraced(function* (jwt: string, verify: VerifyIdentity) {
          const { record } = yield* Effect.mapError(verify(jwt), rejectIdentity);
          const found = yield* registry.findAgent(record.agentRuntimeId);
          if (Option.isNone(found)) return yield* reject("unknown_agent", "the agent is unknown");
          if (found.value.revokedAtMs !== undefined)
            return yield* reject("agent_revoked", "the agent was revoked");
          return found.value;
        });

        const whoami = Effect.fnUntraced(function* (request: Request) {
          const bearer = /^bearer +(\S+)$/i.exec(request.headers.get("authorization") ?? "")?.[1];
          if (bearer !== undefined && issuer !== undefined) {
            const agent = yield* identityOf(bearer, issuer.verify).pipe(
              // A token that the issuer did not sign may be a person's access token.
              Effect.catchIf(
                (error) => acceptsBearer && "reason" in error && error.reason === "invalid_token",
                () => Effect.succeed(undefined),
              ),
            );
            if (agent !== undefined) return whoamiResponse(agent.account, agent.agentRuntimeId);
          }
          const principal = yield* principalOf(request);
          if (principal.account === undefined)
            return yield* reject("not_allowed", "the credential has no account");
          const id = principal.kind === "agent" ? principal.agentRuntimeId : undefined;
          return whoamiResponse(principal.account, id);
        });

        const jwks = (request: Request): EndpointResult => {
          if (issuer === undefined) {
            const message = "this server does not issue identities";
            return new EndpointError({ status: 404, code: "no_issuer", message });
          }
          return issuer.jwks.pipe(
            Effect.map((published) => jwksResponse(request, published, issuer.cacheControl)),
            Effect.catchTag("SigningKeyInvalid", (error) => Effect.fail(keysUnavailable(error))),
          );
        };

        const endpointOf = (name: keyof typeof routes, request: Request, id: string) => {
          switch (name) {
            case "jwks":
              return jwks(request);
            case "registerAgent":
              return registerAgent(request, { registry, authorize });
            case "registerTask":
              return registerTask(request, id, { ...options, registry });
            case "whoami":
              return whoami(request);
          }
        };

        const log = makeFailureLog();
        const reporting = (endpoint: EndpointResult): EndpointResult =>
          endpoint.pipe(
            Effect.tapErrorTag("StoreUnavailable", log.store),
            Effect.catchDefect((defect) =>
              Effect.andThen(log.defect(defect), Effect.fail(unexpected)),
            ),
          );

        const { failuresPerSource = { limit: 100, windowMs: 10_000 } } = options;
        const failures =
          failuresPerSource === null ? undefined : makeWindowCounter(failuresPerSource);

        /** Rejects a source with too many failures before its request is read. */
        const guarded = Effect.fnUntraced(function* (
          request: Request,
          endpoint: () => Effect.Effect<Response>,
        ) {
          const source = options.source?.(request);
          if (source === undefined || failures === undefined) return yield* endpoint();
          const nowMs = yield* Clock.currentTimeMillis;
          const waitMs = failures.blockedForMs(source, nowMs);
          if (waitMs > 0) {
            const text = "too many failed requests from this source";
            return yield* responding(reject("too_many_failures", text, waitMs), challenges);
          }
          const response = yield* endpoint();
          if (response.status >= 400 && response.status < 429) failures.hit(source, nowMs);
          return response;
        });

        const handle = (request: Request): Effect.Effect<Response | undefined> => {
          const { pathname } = new URL(request.url);
          for (const name of ["jwks", "registerTask", "registerAgent", "whoami"] as const) {
            const found = routes[name].exec(pathname);
            if (found === null) continue;
            const method = methodOf[name];
            if (request.method !== method && !(method === "GET" && request.method === "HEAD")) {
              const message = `${pathname} accepts ${method}, not ${request.method}`;
              const headers = { allow: method };
              const error = { status: 405, code: "wrong_method", message, headers } as const;
              return responding(new EndpointError(error), challenges);
            }
            const endpoint = reporting(endpointOf(name, request, decodeSegment(found[1] ?? "")));
            return guarded(request, () => responding(endpoint, challenges));
          }
          return Effect.succeed(undefined);
        };
        return Endpoints.of({ handle });
      }),
    );
}

type VerifyIdentity = AgentIssuer["Service"]["verify"];
type IdentityError = Effect.Error<ReturnType<VerifyIdentity>>;
