import {
  callerLayer,
  type CallerOptions,
} from "@agent-auth/agent-identity/promises/caller-context";
import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import { loadEnvironment, type LoginEnvironment, type Variables } from "../config/environment.ts";
import { loadConfig } from "../config/index.ts";
import type { LoginError } from "../errors/index.ts";
import { compact } from "../internal/compact.ts";
import {
  type AccountList,
  KeptAccounts,
  type KeptAccountsOptions,
  layer,
  type RemovedAccount,
} from "../storage/accounts/index.ts";

/** As `KeptAccountsOptions`, for programs that have not read the environment and the configuration themselves. */
export interface CreateKeptAccountsOptions
  extends Omit<KeptAccountsOptions, "config" | "environment">, CallerOptions {
  /** Default: `variables`, parsed. */
  readonly environment?: LoginEnvironment;
  /** Default: `process.env`. */
  readonly variables?: Variables;
  /** Default: the configuration of CODEX_HOME, under `configOverrides`. */
  readonly config?: KeptAccountsOptions["config"];
  /** `dotted.key=value`, as after `-c`. Default none. */
  readonly configOverrides?: ReadonlyArray<string>;
}

interface CallOptions {
  readonly signal?: AbortSignal;
}

/** `KeptAccounts` for programs that do not use Effect: rejections have the same error classes. */
export interface PromiseKeptAccounts {
  /** All kept accounts, and the current sign-in. */
  readonly list: (call?: CallOptions) => Promise<AccountList>;
  /** The name under which the current sign-in is kept; `null` if it is not, or if there is none. */
  readonly nameOfCurrent: (call?: CallOptions) => Promise<string | null>;
  /** Keeps the current sign-in under a name. */
  readonly addCurrent: (name: string, call?: CallOptions) => Promise<void>;
  /** Keeps a new sign-in, which `signIn` stores in the CODEX_HOME that it is given. The current one stays. */
  readonly addNew: <A>(
    name: string,
    signIn: (codexHome: string) => Promise<A>,
    call?: CallOptions,
  ) => Promise<A>;
  /** Makes a kept account the current sign-in; false if it is that already. */
  readonly use: (name: string, call?: CallOptions) => Promise<boolean>;
  /** Removes a kept account, after trying to revoke its tokens. */
  readonly remove: (name: string, call?: CallOptions) => Promise<RemovedAccount>;
}

/**
 * The kept accounts of a CODEX_HOME. Nothing is read before the first call, and nothing is held open between calls; the
 * environment and the configuration are read for each call.
 *
 * @example
 * ```ts
 * import { createKeptAccounts } from "@agent-auth/login/promises";
 * import { mkdtempSync } from "node:fs";
 * import { tmpdir } from "node:os";
 * import { join } from "node:path";
 *
 * const accounts = createKeptAccounts({
 *   variables: { CODEX_HOME: mkdtempSync(join(tmpdir(), "codex-home-")) },
 *   environmentCredentials: true,
 * });
 * console.log((await accounts.list()).accounts.length); // 0
 * ```
 */
export const createKeptAccounts = (options: CreateKeptAccountsOptions): PromiseKeptAccounts => {
  const run = async <A, E>(
    use: (accounts: KeptAccounts["Service"]) => Effect.Effect<A, E>,
    { signal }: CallOptions = {},
  ): Promise<A> => {
    const program = Effect.flatMap(prepare(options), (prepared) =>
      Effect.provide(KeptAccounts.use(use), layer(prepared)),
    );
    const logged = Effect.provide(program, callerLayer(options));
    return Effect.runPromise(logged, compact({ signal })).catch((error: unknown) => {
      signal?.throwIfAborted();
      throw error;
    });
  };
  return {
    list: (call) => run((accounts) => accounts.list, call),
    nameOfCurrent: (call) =>
      run((accounts) => Effect.map(accounts.nameOfCurrent, Option.getOrNull), call),
    addCurrent: (name, call) => run((accounts) => accounts.addCurrent(name), call),
    addNew: (name, signIn, call) =>
      run(
        (accounts) =>
          accounts.addNew(name, ({ path }) =>
            Effect.tryPromise({ try: () => signIn(path), catch: (thrown) => thrown }),
          ),
        call,
      ),
    use: (name, call) => run((accounts) => accounts.use(name), call),
    remove: (name, call) => run((accounts) => accounts.remove(name), call),
  };
};

const prepare = Effect.fnUntraced(function* (
  options: CreateKeptAccountsOptions,
): Effect.fn.Return<KeptAccountsOptions, LoginError> {
  const { configOverrides, variables, ...rest } = options;
  const environment = options.environment ?? loadEnvironment(variables ?? process.env);
  const config =
    options.config ??
    (yield* loadConfig({ ...environment, ...compact({ overrides: configOverrides }) }));
  return { ...rest, environment, config };
});
