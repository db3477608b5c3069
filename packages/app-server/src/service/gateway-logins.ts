import { randomUUID } from "node:crypto";
import type { Config, GatewaySessionConfig } from "@agent-auth/login/config";
import type { LoginError } from "@agent-auth/login/errors";
import type { GatewayOptions } from "@agent-auth/login/gateway-oauth";
import * as Deferred from "effect/Deferred";
import * as Effect from "effect/Effect";
import * as Fiber from "effect/Fiber";
import * as Option from "effect/Option";
import type * as Scope from "effect/Scope";
import {
  GatewayLoginCancelled,
  GatewayLoginFailed,
  GatewayLoginRefused,
  ModelProviderNotConfigured,
} from "../errors/gateway.ts";
import type { WithHttp } from "./http.ts";
import type {
  AccountServiceOptions,
  AccountServiceShape,
  GatewayChanged,
  GatewayPrompt,
} from "./types.ts";

/** The sign-ins to gateways of model providers, of which one is pending at a time. */
export interface GatewayLogins {
  readonly read: AccountServiceShape["readGateway"];
  readonly login: AccountServiceShape["loginToGateway"];
  readonly cancel: AccountServiceShape["cancelGatewayLogin"];
}

interface GatewayLoginsOptions {
  readonly options: AccountServiceOptions;
  /** The provider that requests use unless they name another. */
  readonly defaultProvider: { readonly id: string; readonly name: string };
  readonly scope: Scope.Scope;
  readonly withHttp: WithHttp;
  readonly onChanged: (changed: GatewayChanged) => void;
}

interface Provider {
  readonly id: string;
  readonly name: string;
  readonly gateway?: GatewaySessionConfig;
}

interface Pending {
  readonly loginId: string;
  readonly providerId: string;
  readonly isDevice: boolean;
  readonly ended: Deferred.Deferred<void, GatewayLoginCancelled | GatewayLoginFailed>;
  fiber?: Fiber.Fiber<unknown, unknown>;
}

type Status = Pick<GatewayChanged, "error" | "status">;

export const makeGatewayLogins = (deps: GatewayLoginsOptions): GatewayLogins => new Logins(deps);

class Logins implements GatewayLogins {
  readonly #deps: GatewayLoginsOptions;
  /** What clients know of each provider. */
  readonly #known = new Map<string, Status>();
  #pending: Pending | undefined;

  constructor(deps: GatewayLoginsOptions) {
    this.#deps = deps;
  }

  readonly read: GatewayLogins["read"] = (providerId) =>
    Effect.gen({ self: this }, function* () {
      const { gateway, id, name } = yield* this.#provider(providerId);
      const { error, status } =
        gateway === undefined ? { status: null, error: null } : yield* this.#statusOf(id, gateway);
      return {
        providerId: id,
        providerName: name,
        required: gateway !== undefined,
        supportsDeviceAuth: gateway?.deviceAuthorizationUrl !== undefined,
        status,
        error,
      };
    });

  readonly login: GatewayLogins["login"] = ({
    deviceAuth = false,
    modelProvider,
    onAuthorizeUrl,
  }) =>
    Effect.gen({ self: this }, function* () {
      const { gateway, id } = yield* this.#provider(modelProvider);
      if (gateway === undefined) return yield* new GatewayLoginRefused({ reason: "notUsed" });
      if (this.#pending !== undefined)
        return yield* new GatewayLoginRefused({ reason: "inProgress" });
      if (!deviceAuth) return yield* this.#loginWithBrowser(id, gateway, onAuthorizeUrl);
      if (gateway.deviceAuthorizationUrl === undefined)
        return yield* new GatewayLoginRefused({ reason: "noDeviceAuthorization" });
      return yield* this.#loginWithDevice(id, gateway);
    });

  readonly cancel: Effect.Effect<void> = Effect.suspend(() => {
    const pending = this.#pending;
    if (pending === undefined) return Effect.void;
    this.#end(pending, new GatewayLoginCancelled());
    return pending.fiber === undefined ? Effect.void : Fiber.interrupt(pending.fiber);
  });

  #loginWithBrowser(
    providerId: string,
    config: GatewaySessionConfig,
    onAuthorizeUrl: ((changed: GatewayChanged) => void) | undefined,
  ) {
    return Effect.gen({ self: this }, function* () {
      const pending = this.#begin(providerId, false);
      const gateway = this.#optionsFor(providerId, config);
      yield* this.#run(
        pending,
        Effect.gen({ self: this }, function* () {
          const { beginGatewaySignIn, saveGatewaySignIn, signInToGateway } = yield* gatewayModule;
          yield* beginGatewaySignIn(gateway);
          const shown = (url: string) =>
            Effect.sync(() => {
              const started = {
                loginId: null,
                providerId,
                status: "started",
                error: null,
              } as const;
              onAuthorizeUrl?.({ ...started, authUrl: url });
              this.#announce(providerId, { status: "started", error: null });
            });
          const tokens = yield* this.#deps.withHttp(
            Effect.scoped(signInToGateway({ ...gateway, onAuthorizeUrl: shown })),
          );
          yield* Effect.uninterruptible(saveGatewaySignIn(gateway, tokens));
        }).pipe(Effect.scoped),
      );
      yield* Deferred.await(pending.ended);
      return { prompt: null };
    });
  }

  #loginWithDevice(providerId: string, config: GatewaySessionConfig) {
    return Effect.gen({ self: this }, function* () {
      const pending = this.#begin(providerId, true);
      const gateway = this.#optionsFor(providerId, config);
      const shown = Deferred.makeUnsafe<GatewayPrompt | null>();
      yield* this.#run(
        pending,
        Effect.gen({ self: this }, function* () {
          const { beginGatewaySignIn, ...login } = yield* gatewayModule;
          const { inspectGatewaySignIn, saveGatewaySignIn, signInToGatewayWithDevice } = login;
          if (Option.isSome(yield* inspectGatewaySignIn(gateway))) {
            yield* Deferred.succeed(shown, null);
            return;
          }
          yield* beginGatewaySignIn(gateway);
          this.#announce(providerId, { status: "notReady", error: null });
          const tokens = yield* this.#deps.withHttp(
            signInToGatewayWithDevice({
              ...gateway,
              onCode: ({ userCode, verificationUrl }) => {
                this.#announce(providerId, { status: "started", error: null });
                const { loginId } = pending;
                return Effect.asVoid(
                  Deferred.succeed(shown, { loginId, verificationUrl, userCode }),
                );
              },
            }),
          );
          yield* Effect.uninterruptible(saveGatewaySignIn(gateway, tokens));
        }).pipe(Effect.scoped),
      );
      const failedFirst = Effect.andThen(Deferred.await(pending.ended), Deferred.await(shown));
      return { prompt: yield* Effect.raceFirst(Deferred.await(shown), failedFirst) };
    });
  }

  #begin(providerId: string, isDevice: boolean): Pending {
    const ended = Deferred.makeUnsafe<void, GatewayLoginCancelled | GatewayLoginFailed>();
    const pending: Pending = { loginId: randomUUID(), providerId, isDevice, ended };
    this.#pending = pending;
    return pending;
  }

  /** Runs a sign-in in the background: the client that started it may disconnect. */
  #run(pending: Pending, signIn: Effect.Effect<void, LoginError>) {
    return Effect.matchEffect(signIn, {
      onFailure: ({ hint, remedy }) =>
        Effect.sync(() => this.#end(pending, new GatewayLoginFailed({ hint, remedy }))),
      onSuccess: () => Effect.sync(() => this.#end(pending, undefined)),
    }).pipe(
      Effect.forkIn(this.#deps.scope),
      Effect.map((fiber) => {
        pending.fiber = fiber;
      }),
    );
  }

  #end(pending: Pending, error: GatewayLoginCancelled | GatewayLoginFailed | undefined): void {
    if (this.#pending !== pending) return;
    this.#pending = undefined;
    const { ended, isDevice, loginId, providerId } = pending;
    const wasStarted = this.#known.get(providerId)?.status === "started";
    const status: Status =
      error === undefined
        ? { status: "succeeded", error: null }
        : { status: "failed", error: error.message };
    Deferred.doneUnsafe(ended, error === undefined ? Effect.void : Effect.fail(error));
    if (isDevice && (wasStarted || error !== undefined))
      this.#deps.onChanged({ loginId, authUrl: null, providerId, ...status });
    this.#announce(providerId, status);
  }

  /** Notifies clients of a status, unless they were notified of it before. */
  #announce(providerId: string, status: Status): void {
    const known = this.#known.get(providerId);
    if (known?.status === status.status && known.error === status.error) return;
    this.#known.set(providerId, status);
    this.#deps.onChanged({ loginId: null, authUrl: null, providerId, ...status });
  }

  /** A sign-in of another program counts, unless clients were told that the last one here failed. */
  #statusOf(providerId: string, config: GatewaySessionConfig): Effect.Effect<Status> {
    const known = this.#known.get(providerId);
    if (known?.status === "started" || known?.status === "failed") return Effect.succeed(known);
    return Effect.flatMap(gatewayModule, ({ inspectGatewaySignIn }) =>
      inspectGatewaySignIn(this.#optionsFor(providerId, config)),
    ).pipe(
      Effect.match({
        onFailure: (): Status => ({ status: "notReady", error: null }),
        onSuccess: (found): Status => ({
          status: Option.isSome(found) ? "succeeded" : "notReady",
          error: null,
        }),
      }),
      Effect.tap((status) => Effect.sync(() => this.#announce(providerId, status))),
    );
  }

  #provider(named: string | undefined): Effect.Effect<Provider, ModelProviderNotConfigured> {
    const { defaultProvider, options } = this.#deps;
    const id = named ?? defaultProvider.id;
    const found = options.config.modelProviders.get(id);
    if (found === undefined)
      return id === defaultProvider.id || id === openai.id
        ? Effect.succeed(id === defaultProvider.id ? defaultProvider : openai)
        : Effect.fail(new ModelProviderNotConfigured({ modelProvider: id }));
    const gateway = sessionOf(found);
    return Effect.succeed({
      id,
      name: found.name ?? id,
      ...(gateway === undefined ? {} : { gateway }),
    });
  }

  #optionsFor(providerId: string, config: GatewaySessionConfig): GatewayOptions {
    return { providerId, config, codexHome: this.#deps.options.environment.codexHome };
  }
}

const openai: Provider = { id: "openai", name: "OpenAI" };

type ModelProviderConfig = NonNullable<ReturnType<Config["modelProviders"]["get"]>>;

/** Other gateways get their token from a command: there is nothing to sign in to. */
const sessionOf = ({ gatewayOauth }: ModelProviderConfig): GatewaySessionConfig | undefined =>
  gatewayOauth?._tag === "Session" ? gatewayOauth : undefined;

const gatewayModule = Effect.promise(() => import("@agent-auth/login/gateway-oauth"));
