import { HttpTransport } from "@agent-auth/agent-identity/http";
import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import { lazyHttpLayer } from "../../http/lazy.ts";
import type { KeptAccountsOptions, KeptAccountsShape } from "./types.ts";

export { accountHome, accountsFolder, isAccountName } from "./folders.ts";
export type { SignInSummary } from "./summary.ts";
export type * from "./types.ts";

/**
 * Several sign-ins under one CODEX_HOME (docs/accounts.md): the current one, which Codex uses, and others that are kept
 * under names. Accounts are compared by user and workspace. Every operation moves whole documents and runs under the
 * home lock, so no refresh or sign-in of any process comes in between; nothing is lost if it is killed.
 *
 * @example
 * ```ts
 * import { parseEnvironment } from "@agent-auth/login/config/environment";
 * import { KeptAccounts, layer } from "@agent-auth/login/storage/accounts";
 * import * as Effect from "effect/Effect";
 * import { mkdtempSync } from "node:fs";
 * import { tmpdir } from "node:os";
 * import { join } from "node:path";
 *
 * const accounts = layer({
 *   environment: parseEnvironment({ CODEX_HOME: mkdtempSync(join(tmpdir(), "codex-home-")) }),
 *   config: { credentialsStore: "file" },
 *   environmentCredentials: true,
 * });
 * const list = KeptAccounts.use((kept) => kept.list);
 * console.log((await Effect.runPromise(Effect.provide(list, accounts))).accounts.length); // 0
 * ```
 */
export class KeptAccounts extends Context.Service<KeptAccounts, KeptAccountsShape>()(
  "@agent-auth/login/storage/accounts",
) {}

/**
 * Over the given transport, which `remove` needs to revoke tokens.
 *
 * @example
 * ```ts
 * import { layer as httpClient } from "@agent-auth/login/http";
 * import { parseEnvironment } from "@agent-auth/login/config/environment";
 * import { layerNoDeps } from "@agent-auth/login/storage/accounts";
 * import * as Layer from "effect/Layer";
 *
 * const environment = parseEnvironment({ CODEX_HOME: "/home/ada/.codex" });
 * const accounts = layerNoDeps({
 *   environment,
 *   config: { credentialsStore: "file" },
 *   environmentCredentials: false,
 * }).pipe(Layer.provide(httpClient(environment)));
 * ```
 */
export const layerNoDeps = (
  options: KeptAccountsOptions,
): Layer.Layer<KeptAccounts, never, HttpTransport> =>
  Layer.effect(
    KeptAccounts,
    Effect.gen(function* () {
      const transport = yield* HttpTransport;
      const { makeKeptAccounts } = yield* Effect.promise(() => import("./make.ts"));
      return makeKeptAccounts(options, transport);
    }),
  );

/**
 * The kept accounts of the CODEX_HOME that the environment names. The HTTP client is loaded when it is needed.
 *
 * @example
 * ```ts
 * import { parseEnvironment } from "@agent-auth/login/config/environment";
 * import { KeptAccounts, layer } from "@agent-auth/login/storage/accounts";
 * import * as Effect from "effect/Effect";
 * import { mkdtempSync } from "node:fs";
 * import { tmpdir } from "node:os";
 * import { join } from "node:path";
 *
 * const accounts = layer({
 *   environment: parseEnvironment({ CODEX_HOME: mkdtempSync(join(tmpdir(), "codex-home-")) }),
 *   config: { credentialsStore: "file" },
 *   environmentCredentials: false,
 * });
 * const list = KeptAccounts.use((kept) => kept.list);
 * await Effect.runPromise(Effect.provide(list, accounts));
 * ```
 */
export const layer = (options: KeptAccountsOptions): Layer.Layer<KeptAccounts> =>
  Layer.provide(layerNoDeps(options), lazyHttpLayer(options));
