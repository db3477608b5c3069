import { execFile, type ExecFileException } from "node:child_process";
import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { withoutVariables } from "@agent-auth/login/config/environment";
import { type Launch, launchOf } from "@agent-auth/login/programs";
import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import * as Redacted from "effect/Redacted";
import * as Semaphore from "effect/Semaphore";

/**
 * Where the keys are: a file, a text (such as the value of a variable), or a command that prints them, such as one that
 * asks a KMS. One key per line, as `<id>:<base64 of 32 bytes>`; empty lines and lines that start with `#` are ignored.
 * The first key encrypts, every key decrypts.
 */
export type KeySource =
  | { readonly _tag: "File"; readonly path: string }
  | { readonly _tag: "Text"; readonly keys: Redacted.Redacted }
  /** Program and arguments; no shell is used. */
  | { readonly _tag: "Command"; readonly argv: readonly [string, ...Array<string>] };

/** A key and the id that documents name it by. */
export interface StoreKey {
  readonly id: string;
  readonly secret: Redacted.Redacted<Uint8Array>;
}

/** Why there is no key, for the error of the operation that needed it. */
export interface KeyProblem {
  readonly reason: string;
  readonly advice: string;
}

/** The keys of a store. */
export interface KeyRing {
  readonly forEncryption: Effect.Effect<StoreKey, KeyProblem>;
  /** The key with this id. The source is read again if it is unknown, so that a rotation needs no restart. */
  readonly find: (id: string) => Effect.Effect<StoreKey, KeyProblem>;
}

const KEEP_MS = { File: 30_000, Text: Infinity, Command: 3_600_000 } as const;
/** An unknown id causes the source to be read again, at most once in this time. */
const READ_AGAIN_AFTER_MS = 5_000;
const COMMAND_WITHIN_MS = 10_000;
const MAX_BYTES = 65_536;

/**
 * Reads the keys at first use, and again after a while: a file after half a minute, a command after an hour. A command is
 * killed after `commandWithinMs`, default 10 s.
 */
export const makeKeyRing = (
  source: KeySource,
  { commandWithinMs = COMMAND_WITHIN_MS }: { readonly commandWithinMs?: number } = {},
): KeyRing => {
  let known: { readonly keys: ReadonlyArray<StoreKey>; readonly atMs: number } | undefined;
  const one = Semaphore.makeUnsafe(1);
  const keysNotOlderThan = (maxAgeMs: number) =>
    one.withPermit(
      Effect.gen(function* () {
        const nowMs = yield* Clock.currentTimeMillis;
        if (known !== undefined && nowMs - known.atMs < maxAgeMs) return known.keys;
        const read = Effect.flatMap(readSource(source, commandWithinMs), parseKeys);
        // Keys that were read before remain good while the file is replaced or the KMS does not respond.
        const keys = yield* Effect.catch(read, (problem) =>
          known === undefined ? Effect.fail(problem) : Effect.succeed(known.keys),
        );
        known = { keys, atMs: nowMs };
        return keys;
      }),
    );
  const current = keysNotOlderThan(KEEP_MS[source._tag]);
  return {
    forEncryption: Effect.flatMap(current, ([first]) =>
      first === undefined ? Effect.fail(noKey) : Effect.succeed(first),
    ),
    find: Effect.fnUntraced(function* (id) {
      const has = (keys: ReadonlyArray<StoreKey>) => keys.find((key) => key.id === id);
      const found = has(yield* current) ?? has(yield* keysNotOlderThan(READ_AGAIN_AFTER_MS));
      if (found !== undefined) return found;
      return yield* Effect.fail({
        reason: `it is encrypted with the key ${JSON.stringify(id)}, which is not among this program's keys`,
        advice: "Add that key to the keys of this program.",
      });
    }),
  };
};

const noKey: KeyProblem = {
  reason: "there is no key to encrypt with",
  advice: "Write one key per line, as <id>:<base64 of 32 bytes>.",
};

const readSource = (
  source: KeySource,
  commandWithinMs: number,
): Effect.Effect<string, KeyProblem> => {
  switch (source._tag) {
    case "Text":
      return Effect.succeed(Redacted.value(source.keys));
    case "File":
      return Effect.tryPromise({
        try: () => readFile(source.path, "utf8"),
        catch: () => ({
          reason: `the key file ${source.path} cannot be read`,
          advice: `Make ${source.path} readable for this program.`,
        }),
      });
    case "Command":
      return runCommand(source.argv, commandWithinMs);
  }
};

const runCommand = (
  [program, ...args]: readonly [string, ...Array<string>],
  timeout: number,
): Effect.Effect<string, KeyProblem> =>
  Effect.callback((resume) => {
    // Without the store's own URL and keys. The variables of a platform's identity stay: a KMS may accept that identity.
    const env = withoutVariables(process.env);
    const limits = { timeout, killSignal: "SIGKILL", maxBuffer: MAX_BYTES } as const;
    let launch: Launch;
    try {
      launch = launchOf(program, args, { env });
    } catch (error) {
      return resume(commandFailed(program, Object(error)));
    }
    const { file, args: quoted, ...how } = launch;
    const options = { encoding: "utf8", env, windowsHide: true, ...limits, ...how } as const;
    const child = execFile(file, quoted, options, (error, stdout) =>
      // Its output may be a key, or part of one.
      resume(error === null ? Effect.succeed(stdout) : commandFailed(program, error)),
    );
    child.stdin?.end();
    return Effect.sync(() => void child.kill("SIGKILL"));
  });

const commandFailed = (program: string, error: ExecFileException) =>
  Effect.fail({
    reason: `the key command ${program} ${describeEnd(error)}`,
    advice: "Run the command by hand to see why.",
  });

const describeEnd = ({ code, killed, signal }: ExecFileException): string => {
  if (code === "ERR_CHILD_PROCESS_STDIO_MAXBUFFER")
    return `printed more than ${MAX_BYTES / 1024} KiB`;
  return killed === true ? "did not end in time" : `failed (${code ?? signal ?? "unknown"})`;
};

const keyLine = /^([A-Za-z0-9._-]{1,64}):([A-Za-z0-9+/_-]{43}=?)$/;

const parseKeys = (text: string): Effect.Effect<ReadonlyArray<StoreKey>, KeyProblem> =>
  Effect.suspend(() => {
    const keys: Array<StoreKey> = [];
    for (const [index, raw] of text.split("\n").entries()) {
      const line = raw.trim();
      if (line === "" || line.startsWith("#")) continue;
      const [, id, encoded] = keyLine.exec(line) ?? [];
      const secret = Buffer.from(encoded ?? "", "base64");
      const isRepeated = keys.some((key) => key.id === id);
      if (id === undefined || secret.length !== 32 || isRepeated) {
        const what = isRepeated ? "repeats a key id" : "is not <id>:<base64 of 32 bytes>";
        return Effect.fail({ ...noKey, reason: `line ${index + 1} of the keys ${what}` });
      }
      keys.push({ id, secret: Redacted.make(new Uint8Array(secret)) });
    }
    return keys.length === 0 ? Effect.fail(noKey) : Effect.succeed(keys);
  });

/**
 * Returns a new key as a line for a key file: `<id>:<base64 of 32 random bytes>`.
 *
 * @example
 * ```ts
 * import { generateStoreKey } from "@agent-auth/login-sql";
 * import { mkdtempSync, writeFileSync } from "node:fs";
 * import { tmpdir } from "node:os";
 * import { join } from "node:path";
 *
 * const file = join(mkdtempSync(join(tmpdir(), "keys-")), "store-keys");
 * writeFileSync(file, `${generateStoreKey("2026-11")}\n`, { mode: 0o600 });
 * ```
 */
export const generateStoreKey = (id: string): string =>
  `${id}:${randomBytes(32).toString("base64")}`;
