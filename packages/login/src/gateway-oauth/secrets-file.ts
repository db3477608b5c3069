import { randomBytes } from "node:crypto";
import { mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import * as Effect from "effect/Effect";
import * as z from "zod/mini";
import type { CodexHome } from "../config/codex-home.ts";
import { GatewayStoreUnusable } from "../errors/gateway.ts";
import { parseJson } from "@agent-auth/agent-identity/encoding";
import { readSmallFile } from "../storage/fs/read.ts";
import { replaceFile } from "../storage/fs/replace.ts";
import { describeSystemError } from "../storage/fs/system-error.ts";
import { resolveTarget } from "../storage/fs/target.ts";
import { homeDigits, makeKeyringEntry } from "../storage/keyring-entry.ts";
import { StoreUnreadable } from "../errors/store.ts";
import { AgeFileInvalid } from "./age.ts";

type Secrets = Readonly<Record<string, unknown>>;

/** A file of secrets by name. Secrets of other names are kept when it is written. */
export interface SecretsFile {
  readonly path: string;
  /** Empty if there is no file. */
  readonly read: Effect.Effect<Secrets, GatewayStoreUnusable>;
  readonly write: (secrets: Secrets) => Effect.Effect<void, GatewayStoreUnusable>;
  /** Fails if it could not be written. */
  readonly check: Effect.Effect<void, GatewayStoreUnusable>;
}

const attempt = <A>(path: string, run: () => Promise<A>): Effect.Effect<A, GatewayStoreUnusable> =>
  Effect.tryPromise({
    try: run,
    catch: (error) => {
      if (error instanceof GatewayStoreUnusable) return error;
      if (error instanceof AgeFileInvalid) return damaged(path, error.message);
      const reason =
        error instanceof StoreUnreadable ? error.reason : describeSystemError(error).reason;
      return new GatewayStoreUnusable({
        path,
        reason,
        hint: "Correct the permissions of CODEX_HOME.",
      });
    },
  });

const damaged = (path: string, reason: string): GatewayStoreUnusable =>
  new GatewayStoreUnusable({
    path,
    reason,
    hint: "Correct or remove the file, and sign in again.",
  });

const replace = async (path: string, content: string | Uint8Array): Promise<void> => {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  await replaceFile(await resolveTarget(path, "save"), content);
};

const Plain = z.record(z.string(), z.unknown());

/** A JSON object, 0600. */
export const openPlainSecrets = (path: string): SecretsFile => {
  const read = attempt(path, async () => {
    const bytes = readSmallFile(path);
    if (bytes === undefined) return {};
    const parsed = z.safeParse(Plain, parseJson(new TextDecoder().decode(bytes)));
    if (!parsed.success) throw damaged(path, "it is not a JSON object");
    return parsed.data;
  });
  return {
    path,
    read,
    write: (secrets) => attempt(path, () => replace(path, JSON.stringify(secrets, null, 2))),
    check: Effect.asVoid(read),
  };
};

const Encrypted = z.object({
  version: z.int().check(z.gte(0), z.lte(1)),
  secrets: z.record(z.string(), z.string()),
});

const hint =
  'Unlock or start the OS keyring, or set credentials_store = "file" in gateway_oauth and sign in again.';

/**
 * Codex's encrypted secrets of gateways: `gateway_oauth.age`, whose passphrase is in the OS keyring. The passphrase is made
 * when the first secret is saved.
 */
export const openEncryptedSecrets = (home: CodexHome, folder: string): SecretsFile => {
  const path = join(folder, "gateway_oauth.age");
  const entry = makeKeyringEntry(`secrets|${homeDigits(home)}|gateway-oauth`, "codex");
  const inKeyring = <A, E extends { readonly message: string }>(use: Effect.Effect<A, E>) =>
    Effect.mapError(use, ({ message: reason }) => new GatewayStoreUnusable({ path, reason, hint }));
  const passphrase = inKeyring(entry.get);
  // Deriving the key of a file that Codex wrote takes seconds, and a refresh reads the file twice.
  let last: { readonly bytes: Uint8Array; readonly secrets: Secrets } | undefined;
  const decrypt = Effect.fnUntraced(function* (bytes: Uint8Array) {
    if (last !== undefined && Buffer.compare(bytes, last.bytes) === 0) return last.secrets;
    const key = yield* passphrase;
    if (key === null) return yield* damaged(path, "the keyring does not have its key");
    const plain = yield* attempt(path, async () => {
      const { decryptWithPassphrase } = await import("./age.ts");
      return decryptWithPassphrase(bytes, key);
    });
    const parsed = z.safeParse(Encrypted, parseJson(new TextDecoder().decode(plain)));
    if (!parsed.success)
      return yield* damaged(
        path,
        "this version of agent-auth does not know the format of its content",
      );
    last = { bytes, secrets: parsed.data.secrets };
    return parsed.data.secrets;
  });
  return {
    path,
    read: Effect.flatMap(
      attempt(path, async () => readSmallFile(path)),
      (bytes): Effect.Effect<Secrets, GatewayStoreUnusable> =>
        bytes === undefined ? Effect.succeed({}) : decrypt(bytes),
    ),
    write: Effect.fnUntraced(function* (secrets) {
      let key = yield* passphrase;
      if (key === null) {
        key = randomBytes(32).toString("base64");
        yield* inKeyring(entry.set(key));
      }
      const plain = Buffer.from(JSON.stringify({ version: 1, secrets }));
      const made = key;
      yield* attempt(path, async () => {
        const { encryptWithPassphrase } = await import("./age.ts");
        const bytes = await encryptWithPassphrase(plain, made);
        await replace(path, bytes);
        last = { bytes, secrets };
      });
    }),
    check: Effect.asVoid(passphrase),
  };
};
