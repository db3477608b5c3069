import * as Cause from "effect/Cause";
import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Exit from "effect/Exit";
import * as Predicate from "effect/Predicate";
import {
  AlreadyInitialized,
  type AppServerError,
  ExperimentalApiRequired,
  InvalidClientName,
  InvalidRequest,
  MethodNotSupported,
  NotInitialized,
} from "../errors/index.ts";
import type { AccountConnection, ClientConnection, RpcAnswer } from "../rpc/connection.ts";
import { InitializeParams } from "../schema/handshake.ts";
import type { AccountEvent, AccountServiceShape, TokenOwner } from "../service/types.ts";
import type { AccountMethodsOptions, ClientCapabilities } from "./options.ts";
import { parseParams, unknownVariant } from "./parse-params.ts";
import { toRpcError } from "./rpc-error.ts";
import { findMethod, type AnyMethod, methods, unsupportedArea } from "./table.ts";

export type {
  AccountConnection,
  ClientConnection,
  RpcAnswer,
  RpcError,
} from "../rpc/connection.ts";
export type { AccountMethodsOptions, ClientCapabilities, ClientDescription } from "./options.ts";
export { toRpcError } from "./rpc-error.ts";

/** An account service of this package: with Effects, or with Promises. */
export type AnyAccountService = AccountServiceShape | HasAccountService;

/** An account service with Promises: the Effect service that it wraps, and the context in which its Effects run. */
export interface HasAccountService {
  readonly effects: AccountServiceShape;
  readonly context: Context.Context<never>;
}

/**
 * Answers the account methods on one connection, next to the server's own methods. Requests of all connections of a
 * service are processed in the order in which they arrive; answers come before the notifications that they cause.
 *
 * The connection gets every notification of the service from `initialize` on, and is asked for new tokens if it lent some.
 *
 * @example
 * ```ts
 * import { handleAccountMethods } from "@agent-auth/app-server/methods";
 * import { openAccountService } from "@agent-auth/app-server/promises";
 * import { mkdtempSync } from "node:fs";
 * import { tmpdir } from "node:os";
 * import { join } from "node:path";
 *
 * await using service = await openAccountService({
 *   variables: { CODEX_HOME: mkdtempSync(join(tmpdir(), "codex-home-")) },
 * });
 * const account = handleAccountMethods(service, {
 *   notify: (method, params) => console.log(method, params), // send it to the client
 *   request: () => Promise.reject(new Error("this client answers no requests")),
 * });
 * await account.request("initialize", { clientInfo: { name: "example", version: "1.0.0" } });
 * console.log(await account.request("account/read", {})); // { result: { account: null, … } }
 * ```
 */
export const handleAccountMethods = (
  service: AnyAccountService,
  connection: ClientConnection,
  options: AccountMethodsOptions = {},
): AccountConnection => new AccountMethods(service, connection, options);

class AccountMethods implements AccountConnection {
  readonly #effects: AccountServiceShape;
  readonly #runFork: ReturnType<typeof Effect.runForkWith<never>>;
  readonly #connection: ClientConnection;
  readonly #onInitialized: AccountMethodsOptions["onInitialized"];
  readonly #hasOwnHandshake: boolean;
  /** Whether the client may use experimental methods; `undefined` before it has introduced itself. */
  #isExperimental: boolean | undefined;
  #owner: TokenOwner;
  #stopListening: (() => void) | undefined;
  #isClosed = false;
  #unwanted: ReadonlyArray<AccountEvent["method"]> = [];

  constructor(
    service: AnyAccountService,
    connection: ClientConnection,
    { initialized, onInitialized }: AccountMethodsOptions,
  ) {
    const { context, effects } =
      "effects" in service ? service : { effects: service, context: Context.empty() };
    this.#effects = effects;
    this.#runFork = Effect.runForkWith(context);
    this.#connection = connection;
    this.#onInitialized = onInitialized;
    this.#hasOwnHandshake = initialized !== undefined;
    this.#owner = tokenOwner("a client", connection);
    if (initialized === undefined) return;
    const { capabilities = {}, clientInfo } = initialized;
    if (clientInfo !== undefined) effects.describe(clientInfo);
    this.#begin(clientInfo, capabilities);
  }

  readonly handles = (name: string): boolean =>
    findMethod(name) !== undefined ||
    unsupportedArea(name) !== undefined ||
    (!this.#hasOwnHandshake && (name === "initialize" || name === "initialized"));

  readonly request = (name: string, params: unknown): RpcAnswer | Promise<RpcAnswer> => {
    if (name === "initialize" && !this.#hasOwnHandshake) return this.#initialize(params);
    if (this.#isExperimental === undefined) return refuse(new NotInitialized());
    const method = findMethod(name);
    if (method !== undefined) return this.#run(name, method, params);
    const area = unsupportedArea(name);
    if (area === undefined)
      return refuse(new InvalidRequest({ problem: unknownVariant(name, methodNames) }));
    return this.#isExperimental
      ? refuse(new MethodNotSupported({ what: name, area }))
      : refuse(new ExperimentalApiRequired({ what: name }));
  };

  readonly notification = (): void => {};

  readonly close = (): void => {
    this.#isClosed = true;
    this.#stopListening?.();
    this.#runFork(this.#effects.releaseOwner(this.#owner));
  };

  #begin(client: { readonly name: string } | undefined, asked: ClientCapabilities): void {
    // The rest of the client's parameters is not kept: a name or a list could have any size.
    this.#isExperimental = asked.experimentalApi === true;
    if (client !== undefined) this.#owner = tokenOwner(client.name, this.#connection);
    const all = asked.optOutNotificationMethods ?? [];
    this.#unwanted = eventMethods.filter((method) => all.includes(method));
    this.#stopListening = this.#effects.listen(({ method, params }) =>
      this.#notify(method, params),
    );
  }

  #tellRemoteControl(): void {
    if (this.#isClosed) return;
    this.#connection.notify(remoteControlChanged, this.#effects.remoteControl());
  }

  #notify(method: AccountEvent["method"], params: object): void {
    if (!this.#unwanted.includes(method)) this.#connection.notify(method, params);
  }

  #initialize(params: unknown): RpcAnswer {
    if (this.#isExperimental !== undefined) return refuse(new AlreadyInitialized());
    const parsed = parseParams("required", InitializeParams, withShortList(params));
    if ("problem" in parsed) return refuse(new InvalidRequest(parsed));
    const { clientInfo, capabilities: asked } = parsed.value;
    const { name, title = null, version } = clientInfo;
    if (!isClientName(name)) return refuse(new InvalidClientName({ clientName: name }));
    const capabilities = {
      experimentalApi: asked?.experimentalApi ?? false,
      optOutNotificationMethods: asked?.optOutNotificationMethods ?? [],
    };
    this.#begin(clientInfo, capabilities);
    this.#onInitialized?.({ clientInfo: { name, version, title }, capabilities });
    if (!capabilities.optOutNotificationMethods.includes(remoteControlChanged))
      setImmediate(() => this.#tellRemoteControl());
    return { result: this.#effects.describe(clientInfo) };
  }

  #run(name: string, method: AnyMethod, params: unknown): RpcAnswer | Promise<RpcAnswer> {
    const call = method.check(params);
    if ("problem" in call) return refuse(new InvalidRequest(call));
    const experimental = call.experimentalPart(name);
    if (experimental !== undefined && this.#isExperimental !== true)
      return refuse(new ExperimentalApiRequired({ what: experimental }));
    const fiber = this.#runFork(
      call.run({
        service: this.#effects,
        owner: this.#owner,
        onGatewayUrl: (changed) => this.#notify("account/gatewayOAuth/changed", changed),
      }),
    );
    const answer = (exit: Exit.Exit<unknown, AppServerError>): RpcAnswer =>
      Exit.isSuccess(exit)
        ? { result: exit.value }
        : { error: toRpcError(Cause.squash(exit.cause), method.prefix) };
    const done = fiber.pollUnsafe();
    return done === undefined
      ? new Promise((resolve) => fiber.addObserver((exit) => resolve(answer(exit))))
      : answer(done);
  }
}

const remoteControlChanged = "remoteControl/status/changed";

const eventMethods: ReadonlyArray<AccountEvent["method"]> = [
  "account/gatewayOAuth/changed",
  "account/login/completed",
  "account/updated",
];

/**
 * Returns the parameters of `initialize` with the list of names cut after its first invalid element. Zod creates an issue
 * for each invalid element, which would take seconds for the longest list that fits into a message.
 */
const withShortList = (params: unknown): unknown => {
  if (!Predicate.hasProperty(params, "capabilities")) return params;
  const { capabilities } = params;
  if (!Predicate.hasProperty(capabilities, "optOutNotificationMethods")) return params;
  const names = capabilities.optOutNotificationMethods;
  const wrong = Array.isArray(names) ? names.findIndex((name) => typeof name !== "string") : -1;
  if (!Array.isArray(names) || wrong === -1) return params;
  const optOutNotificationMethods = names.slice(0, wrong + 1);
  return { ...params, capabilities: { ...capabilities, optOutNotificationMethods } };
};

/** Whether a name is a valid header value of a length that servers accept: the first client's name becomes the originator. */
const isClientName = (name: string): boolean =>
  name.length <= MAX_NAME_CHARACTERS && /^[\t\x20-\x7e]*$/.test(name);

const MAX_NAME_CHARACTERS = 256;

const methodNames = ["initialize", ...Object.keys(methods)];

const refuse = (error: AppServerError): RpcAnswer => ({ error: toRpcError(error) });

const tokenOwner = (name: string, connection: ClientConnection): TokenOwner => ({
  name,
  refresh: (ask, signal) => connection.request("account/chatgptAuthTokens/refresh", ask, signal),
});
