import type { CommandTokenConfig } from "@agent-auth/login/config";
import type { BearerCredential } from "@agent-auth/login/credential";
import * as Effect from "effect/Effect";
import type * as Exit from "effect/Exit";
import * as Option from "effect/Option";
import * as Redacted from "effect/Redacted";
import type { CredentialAccess } from "./index.ts";
import { TokenCommandFailed } from "../errors/index.ts";
import { runCommand } from "./run-command.ts";

/** Bytes of output after which it cannot be a token any more. */
const maxTokenBytes = 64 * 1024;

/**
 * Runs a provider's token command once (docs/protocol.md §12): without a shell, stdin closed, for `timeoutMs` at
 * most, after which it is killed with everything it started. What comes back is its stdout, trimmed; nothing checks
 * that it is a token. It inherits this process's environment.
 */
export const runTokenCommand = Effect.fnUntraced(function* (config: CommandTokenConfig) {
  const { command } = config;
  const output = yield* runCommand({ ...config, maxStdoutBytes: maxTokenBytes });
  const text = yield* Effect.try({
    try: () => new TextDecoder("utf-8", { fatal: true }).decode(output).trim(),
    catch: () =>
      new TokenCommandFailed({ command, reason: { _tag: "BadOutput", what: "notUtf8" } }),
  });
  if (text === "")
    return yield* new TokenCommandFailed({ command, reason: { _tag: "BadOutput", what: "empty" } });
  return Redacted.make(text, { label: "token command output" });
});

/**
 * A token command as a source of credentials. One run serves everyone who waits, and everyone after them for
 * `refreshIntervalMs` (0: until a 401). A failed run is not remembered. After a 401 the command runs again, once for
 * all who met it; a token that is still the same is not worth a retry.
 */
export const commandTokenAccess = (
  config: CommandTokenConfig,
  options: { readonly now?: () => number } = {},
): CredentialAccess => {
  const now = options.now ?? Date.now;
  let latest: { readonly credential: BearerCredential; readonly atMs: number } | undefined;
  let running: Promise<Exit.Exit<BearerCredential, TokenCommandFailed>> | undefined;

  const runOnce = Effect.map(runTokenCommand(config), (token) => {
    const credential =
      latest !== undefined && sameText(latest.credential.token, token)
        ? latest.credential
        : bearer(config.command, token);
    latest = { credential, atMs: now() };
    return credential;
  });
  // Not a child of whoever asks first: that one giving up must not fail the others who wait.
  const shared = Effect.suspend(() => {
    running ??= Effect.runPromiseExit(runOnce).finally(() => {
      running = undefined;
    });
    const exit = running;
    return Effect.flatten(Effect.promise(() => exit));
  });
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
