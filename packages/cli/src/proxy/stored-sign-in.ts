import { encodeAuthJson } from "@agent-auth/login/storage/auth-json";
import { CredentialStore, logStoreWarning } from "@agent-auth/login/storage";
import { layer as configuredStore } from "@agent-auth/login/storage/configured";
import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import { createHash } from "node:crypto";
import { statSync } from "node:fs";
import { join } from "node:path";
import type { Session } from "../session.ts";

/** A request waits this long at most for the keyring to say what it holds. */
const ANSWER_WITHIN_MS = 2000;

/** A keyring that gave no answer may have asked a person to unlock it: nobody wants that every second. */
const ASK_AGAIN_AFTER_MS = 60_000;

/** Another text whenever the stored sign-in is another one. Never fails. */
export type Stamp = () => string | Promise<string>;

/** What tells the stored sign-in of a session from another one, wherever it lies. */
export const storedSignIn = (session: Session) =>
  Effect.map(Effect.context(), (context): Stamp => {
    const file = fileStamp(join(session.environment.codexHome.path, "auth.json"));
    const mode = session.config.credentialsStore;
    if (mode !== "keyring" && mode !== "auto") return file;
    const keyring = keyringStamp({
      ask: () => Effect.runPromiseWith(context)(askKeyring(session)),
      nowMs: () => performance.now(),
    });
    return mode === "keyring" ? keyring : async () => `${await keyring()} ${file()}`;
  });

/**
 * By what changes whenever the file is written or replaced. Where it is a link, that is the file which it leads to.
 */
const fileStamp = (path: string) => (): string => {
  try {
    const stat = statSync(path, { bigint: true, throwIfNoEntry: false });
    return stat === undefined ? "" : `${stat.dev} ${stat.ino} ${stat.size} ${stat.mtimeNs}`;
  } catch (error) {
    return error instanceof Error && "code" in error ? String(error.code) : "unknown";
  }
};

export interface KeyringStampOptions {
  /** What the keyring holds, as a digest; `null` where it gives no answer. */
  readonly ask: () => Promise<string | null>;
  /** Milliseconds that only go up. */
  readonly nowMs: () => number;
}

/**
 * The keyring has no sign of a change, so it is read. No answer is no change: a keyring that was locked meanwhile
 * does not take away what was loaded from it.
 */
export const keyringStamp = ({ ask, nowMs }: KeyringStampOptions) => {
  let known = "unknown";
  let askAgainAtMs = -Infinity;
  return async (): Promise<string> => {
    if (nowMs() < askAgainAtMs) return known;
    const found = await ask();
    if (found === null) askAgainAtMs = nowMs() + ASK_AGAIN_AFTER_MS;
    known = found ?? known;
    return known;
  };
};

const askKeyring = ({ environment: { codexHome } }: Session): Effect.Effect<string | null> =>
  CredentialStore.use((store) => store.load).pipe(
    Effect.provide(configuredStore({ mode: "keyring", codexHome })),
    Effect.map(
      Option.match({
        onNone: () => "nothing",
        onSome: ({ document }) =>
          createHash("sha256").update(encodeAuthJson(document)).digest("hex"),
      }),
    ),
    Effect.catchTag("KeyringUnavailable", (error) => Effect.as(logStoreWarning(error), null)),
    // An entry that is broken is there: whoever loads it tells more.
    Effect.catch((error) => Effect.succeed(error.code)),
    Effect.timeoutOrElse({ duration: ANSWER_WITHIN_MS, orElse: () => Effect.succeed(null) }),
  );
