import { isAbsolute } from "node:path";
import type { CommandTokenConfig } from "@agent-auth/login/config";
import type { BearerCredential } from "@agent-auth/login/credential";
import type { OwnerNotTrusted } from "@agent-auth/login/errors";
import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import * as Redacted from "effect/Redacted";
import type { CredentialAccess } from "./index.ts";
import { TokenCommandFailed } from "../errors/index.ts";
import { runCommand } from "./run-command.ts";

/** Bytes of output above which it cannot be a token. */
const maxTokenBytes = 64 * 1024;

/**
 * Runs a provider's token command once and returns its output, trimmed (docs/protocol.md §12). The command runs without
 * a shell and without stdin, and is killed together with its child processes after `timeoutMs`. It inherits the
 * environment of this process without the variables that carry or select a credential, `AGENT_AUTH_CONFIG` and those in
 * `withheld`. The variables of `dotEnv` are added if they are unset or blank there. A relative path with a separator is
 * resolved against `cwd`, never against the working directory.
 *
 * Fails with `TokenCommandFailed`, or with `OwnerNotTrusted` if this process is root and another user controls
 * `configFile`. Throws `TypeError` if a duration is not a number of milliseconds, or if a path cannot be
 * made absolute.
 *
 * @example
 * ```ts
 * import { runTokenCommand } from "@agent-auth/model-provider/credentials/command-token";
 * import * as Effect from "effect/Effect";
 * import * as Redacted from "effect/Redacted";
 *
 * const token = await Effect.runPromise(
 *   runTokenCommand({
 *     command: process.execPath,
 *     args: [Redacted.make("-p"), Redacted.make("'token-1'")],
 *     timeoutMs: 5000,
 *     refreshIntervalMs: 300_000,
 *   }),
 * );
 * Redacted.value(token); // "token-1"
 * ```
 */
export const runTokenCommand = (
  config: CommandTokenConfig,
): Effect.Effect<Redacted.Redacted, OwnerNotTrusted | TokenCommandFailed> => {
  assertConfig(config);
  return readToken(config, false);
};

const assertConfig = (config: CommandTokenConfig): void => {
  const { command, cwd, refreshIntervalMs, timeoutMs } = config;
  if (!(timeoutMs > 0)) throw new TypeError("timeoutMs must be a number of milliseconds above 0");
  if (!(refreshIntervalMs >= 0))
    throw new TypeError("refreshIntervalMs must be a number of milliseconds, 0 or more");
  // The working directory may be an untrusted checkout.
  if (cwd !== undefined && !isAbsolute(cwd)) throw new TypeError("cwd must be an absolute path");
  if (cwd === undefined && /[\\/]/.test(command) && !isAbsolute(command))
    throw new TypeError("command must be an absolute path or the name of a program, or cwd be set");
};

const readToken = Effect.fn("TokenCommand.run")(function* (
  config: CommandTokenConfig,
  isOneWord: boolean,
) {
  const { command, configFile, dotEnv } = config;
  const files = [configFile, dotEnv?.path].filter((file) => file !== undefined);
  if (files.length > 0) {
    const privilege = yield* Effect.promise(() => import("@agent-auth/login/storage/privilege"));
    yield* Effect.forEach(files, privilege.assertOwnerTrusted, { discard: true });
  }
  const output = yield* runCommand({ ...config, maxStdoutBytes: maxTokenBytes });
  const text = yield* Effect.try({
    try: () => new TextDecoder("utf-8", { fatal: true }).decode(output).trim(),
    catch: () =>
      new TokenCommandFailed({ command, reason: { _tag: "BadOutput", what: "notUtf8" } }),
  });
  if (text === "")
    return yield* new TokenCommandFailed({ command, reason: { _tag: "BadOutput", what: "empty" } });
  if (isOneWord && /\s/.test(text))
    return yield* new TokenCommandFailed({
      command,
      reason: { _tag: "BadOutput", what: "notOneToken" },
    });
  return Redacted.make(text, { label: "token command output" });
});

/**
 * Returns access to the token that a command prints. One run serves every caller that waits for it, and later callers
 * for `refreshIntervalMs` (0: until a 401). A failed run is not remembered. After a 401 the command runs again, once
 * for all callers; if it prints the same token, there is no other credential.
 *
 * `now` returns milliseconds since the epoch; default `Date.now`. With `isOneWord`, output with white space inside is a
 * failure. Throws `TypeError` for an invalid configuration, as `runTokenCommand` does.
 *
 * @example
 * ```ts
 * import { commandTokenAccess } from "@agent-auth/model-provider/credentials/command-token";
 * import * as Redacted from "effect/Redacted";
 *
 * const access = commandTokenAccess({
 *   command: "/usr/local/bin/get-token",
 *   args: [Redacted.make("--audience=models")],
 *   timeoutMs: 5000,
 *   refreshIntervalMs: 300_000,
 * });
 * access.snapshot(); // null: the command has not run yet
 * ```
 */
export const commandTokenAccess = (
  config: CommandTokenConfig,
  options: { readonly now?: () => number; readonly isOneWord?: boolean } = {},
): CredentialAccess => {
  assertConfig(config);
  const now = options.now ?? Date.now;
  let latest: { readonly credential: BearerCredential; readonly atMs: number } | undefined;

  const runOnce = Effect.map(readToken(config, options.isOneWord === true), (token) => {
    const credential =
      latest !== undefined && sameText(latest.credential.token, token)
        ? latest.credential
        : bearer(config.command, token);
    latest = { credential, atMs: now() };
    return credential;
  });
  // Callers share a run; it ends early only if all of them are interrupted.
  const [shared] = Effect.runSync(Effect.cachedInvalidateWithTTL(runOnce, 0));
  const snapshot = (): BearerCredential | null =>
    latest !== undefined && isFresh(latest.atMs, now(), config) ? latest.credential : null;

  return {
    snapshot,
    current: Effect.suspend(() => {
      const credential = snapshot();
      return credential === null ? Effect.asSome(shared) : Effect.succeedSome(credential);
    }),
    recoverUnauthorized: (rejected) =>
      Effect.suspend(() => {
        const newer = latest?.credential;
        if (newer !== undefined && newer !== rejected) return Effect.succeedSome(newer);
        return Effect.map(shared, (next) =>
          next === rejected ? Option.none() : Option.some(next),
        );
      }),
  };
};

const isFresh = (atMs: number, nowMs: number, config: CommandTokenConfig): boolean =>
  config.refreshIntervalMs === 0 || Math.abs(nowMs - atMs) < config.refreshIntervalMs;

const sameText = (left: Redacted.Redacted, right: Redacted.Redacted): boolean =>
  Redacted.value(left) === Redacted.value(right);

const bearer = (name: string, token: Redacted.Redacted): BearerCredential => ({
  _tag: "Bearer",
  token,
  account: { isFedrampAccount: false },
  source: { _tag: "External", name },
});
