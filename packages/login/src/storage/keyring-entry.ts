import { createHash } from "node:crypto";
import type { AsyncEntry } from "@napi-rs/keyring";
import * as Effect from "effect/Effect";
import { canonicalCodexHome } from "../config/codex-home.ts";
import type { CodexHome } from "../config/environment.ts";
import { KeyringUnavailable } from "../errors/store.ts";

export const keyringService = "Codex Auth";

/** The account that Codex uses for a CODEX_HOME. */
export const keyringAccount = (home: CodexHome): string => `cli|${homeDigits(home)}`;

/**
 * Returns the first 16 hex digits of the SHA-256 of a CODEX_HOME's canonical path. Codex uses them in the names of its
 * keyring entries.
 */
export const homeDigits = (home: CodexHome): string => {
  // Rust's canonical paths have this prefix on Windows. This has not been tested on Windows.
  const prefix = process.platform === "win32" ? "\\\\?\\" : "";
  const digest = createHash("sha256").update(prefix + canonicalCodexHome(home), "utf8");
  return digest.digest("hex").slice(0, 16);
};

/** One entry of the OS keyring. */
export interface KeyringEntry {
  /** `null` if the keyring can be read and has no such entry. */
  readonly get: Effect.Effect<string | null, KeyringUnavailable>;
  readonly set: (value: string) => Effect.Effect<void, KeyringUnavailable>;
  /** Succeeds with false if there was no entry. */
  readonly delete: Effect.Effect<boolean, KeyringUnavailable>;
}

/** Long enough for a person to unlock the keyring. A service that hangs must not block the caller longer. */
const MAX_WAIT_MS = 60_000;

type StoreOperation = KeyringUnavailable["operation"];

/** Returns the keyring entry of an account. The package is loaded, and the keyring is queried, only when it is used. */
export const makeKeyringEntry = (account: string, service = keyringService): KeyringEntry => {
  const use = <A>(
    operation: StoreOperation,
    ask: (entry: AsyncEntry, signal: AbortSignal) => Promise<A>,
  ): Effect.Effect<A, KeyringUnavailable> =>
    Effect.flatMap(openEntry(service, account), (entry) =>
      Effect.tryPromise({
        try: (signal) => ask(entry, signal),
        catch: (error) => new KeyringUnavailable({ operation, reason: reasonOf(error) }),
      }),
    ).pipe(
      Effect.timeoutOrElse({
        duration: MAX_WAIT_MS,
        orElse: () =>
          Effect.fail(
            new KeyringUnavailable({
              operation,
              reason: `no answer within ${MAX_WAIT_MS / 1000} s`,
            }),
          ),
      }),
    );
  return {
    get: use("load", (entry, signal) => entry.getPassword(signal)),
    set: (value) => use("save", (entry, signal) => entry.setPassword(value, signal)),
    delete: use("remove", (entry, signal) => entry.deleteCredential(signal)),
  };
};

const loadPackage = Effect.tryPromise({
  try: () => import("@napi-rs/keyring"),
  catch: () =>
    new KeyringUnavailable({
      operation: "open",
      reason: "the optional package @napi-rs/keyring is not installed for this platform",
    }),
});

// Pinned: without a Secret Service the package would silently fall back to the kernel's keyring, which is lost at
// the next boot and reports "no entry" if there is no keyring.
const openEntry = (
  service: string,
  account: string,
): Effect.Effect<AsyncEntry, KeyringUnavailable> =>
  Effect.flatMap(loadPackage, ({ AsyncEntry }) =>
    Effect.try({
      try: () => new AsyncEntry(service, account, { linux: { store: "secret-service" } }),
      catch: (error) => new KeyringUnavailable({ operation: "open", reason: reasonOf(error) }),
    }),
  );

/** Returns the first line of the package's error. It describes the storage and contains no stored values. */
const reasonOf = (error: unknown): string => {
  const [line = ""] = error instanceof Error ? error.message.split("\n") : [];
  return line === "" ? "an unexpected failure" : line.slice(0, 200);
};
