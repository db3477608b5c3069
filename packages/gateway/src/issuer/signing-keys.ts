import { createHash, createPrivateKey, generateKeyPair, type KeyObject } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import * as Clock from "effect/Clock";
import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import { SigningKeyInvalid, StoreUnavailable } from "../errors/index.ts";
import { type PublicJwk, publicJwk, type SigningKey, signingKeyOf } from "./signing-key.ts";

/** Why there is no key to sign with. */
export type SigningKeysError = SigningKeyInvalid | StoreUnavailable;

/**
 * The keys of an issuer, in any order: future signing keys, the current one, and earlier ones.
 *
 * @example
 * ```ts
 * import { generateKeyPairSync } from "node:crypto";
 * import { SigningKeys, signingKeyOf } from "@agent-auth/gateway/issuer";
 *
 * const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
 * const layer = SigningKeys.layerStatic([signingKeyOf(privateKey)]);
 * ```
 */
export class SigningKeys extends Context.Service<
  SigningKeys,
  {
    readonly all: Effect.Effect<ReadonlyArray<SigningKey>, SigningKeysError>;
    /**
     * Adds a new key, which is published at once and signs once every client has fetched it, and removes keys that no valid
     * token needs. Returns the new key. Dies if the keys are static.
     */
    readonly rotate: (timing: KeyTiming) => Effect.Effect<SigningKey, SigningKeysError>;
  }
>()("@agent-auth/gateway/issuer/signing-keys") {
  /** Keys that the program holds. A key of a KMS is rotated by listing the next one with its `activeFromMs`. */
  static readonly layerStatic = (keys: ReadonlyArray<SigningKey>): Layer.Layer<SigningKeys> =>
    Layer.succeed(SigningKeys, {
      all: Effect.succeed(keys),
      rotate: () => Effect.die(new TypeError("these signing keys are static: add one to the list")),
    });

  /** Generated keys, for tests. They are lost when the process ends. */
  static readonly layerMemory: Layer.Layer<SigningKeys> = Layer.sync(SigningKeys, () => {
    let keys: ReadonlyArray<SigningKey> = [];
    const add = Effect.fnUntraced(function* (activeFromMs: number) {
      const key = signingKeyOf(yield* generateRsaKey, { activeFromMs });
      keys = [...keys, key];
      return key;
    });
    return SigningKeys.of({
      all: Effect.suspend(() =>
        keys.length > 0 ? Effect.succeed(keys) : Effect.map(add(0), () => keys),
      ),
      rotate: Effect.fnUntraced(function* (timing: KeyTiming) {
        const nowMs = yield* Clock.currentTimeMillis;
        keys = publishedKeys(keys, nowMs, timing);
        return yield* add(nowMs + timing.publishAheadMs);
      }),
    });
  });

  /**
   * Keys in a folder that processes share: each `*.pem` is one key (PKCS#8, RSA). A name such as `20261130T120000Z.pem`
   * states when the key starts to sign. A key with any other name may sign at once. `rotate` writes such a file (mode
   * 0600) and deletes old ones; the first key is generated. The folder is read again after `reloadMs` (default 60 s).
   */
  static readonly layerFolder = (options: {
    readonly folder: string;
    readonly reloadMs?: number;
  }): Layer.Layer<SigningKeys> => Layer.sync(SigningKeys, () => makeFolder(options));
}

/** How long keys are published before and after they sign, milliseconds. */
export interface KeyTiming {
  /** How long a key is published before it signs: the lifetime of the JWKS in caches, plus a margin. */
  readonly publishAheadMs: number;
  /** How long a key is published after its successor signs: the longest lifetime of a token, and the clock tolerance. */
  readonly overlapMs: number;
}

const byActivation = (a: SigningKey, b: SigningKey): number =>
  a.activeFromMs - b.activeFromMs || a.kid.localeCompare(b.kid);

/** Returns the key that signs at a time: the newest active key or, if none is active, the first future key. */
export const currentKey = (
  keys: ReadonlyArray<SigningKey>,
  nowMs: number,
): SigningKey | undefined => {
  const sorted = keys.toSorted(byActivation);
  return sorted.findLast((key) => key.activeFromMs <= nowMs) ?? sorted[0];
};

/** Returns the keys that are published at a time: all except those whose successor has signed for `overlapMs`. */
export const publishedKeys = (
  keys: ReadonlyArray<SigningKey>,
  nowMs: number,
  { overlapMs }: KeyTiming,
): ReadonlyArray<SigningKey> => {
  const sorted = keys.toSorted(byActivation);
  return sorted.filter((_, index) => {
    const successor = sorted[index + 1];
    return successor === undefined || successor.activeFromMs + overlapMs > nowMs;
  });
};

/** A JWKS as it is served. */
export interface PublishedJwks {
  readonly document: { readonly keys: ReadonlyArray<PublicJwk> };
  /** Strong entity tag (RFC 9110 §8.8.3). */
  readonly etag: string;
}

/**
 * Returns a strong entity tag of a text (RFC 9110 §8.8.3).
 *
 * @example
 * ```ts
 * import { entityTag } from "@agent-auth/gateway/issuer";
 *
 * entityTag("{}").length; // 24
 * ```
 */
export const entityTag = (text: string): string =>
  `"${createHash("sha256").update(text).digest("base64url").slice(0, 22)}"`;

/** Returns the JWKS of these keys. */
export const jwksOf = (keys: ReadonlyArray<SigningKey>): PublishedJwks => {
  const document = { keys: keys.map(publicJwk) };
  return { document, etag: entityTag(JSON.stringify(document)) };
};

/** Generates a 2048-bit RSA key in another thread, about 100 ms. */
export const generateRsaKey: Effect.Effect<KeyObject> = Effect.promise(async () => {
  const { privateKey } = await promisify(generateKeyPair)("rsa", { modulusLength: 2048 });
  return privateKey;
});

/** `2026-11-30T12:00:00.000Z` as the name of a file. */
const fileNameOf = (activeFromMs: number): string =>
  `${new Date(activeFromMs).toISOString().replaceAll(/[-:]|\.\d+/g, "")}.pem`;

const activeFromOf = (name: string): number => {
  const parts = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z\.pem$/.exec(name);
  if (parts === null) return 0;
  const [, year, month, day, hour, minute, second] = parts;
  return Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`) || 0;
};

const unavailable = (error: unknown) =>
  error instanceof SigningKeyInvalid
    ? error
    : new StoreUnavailable({
        store: "signing keys",
        problem: `the folder could not be used (${String(Reflect.get(Object(error), "code"))})`,
      });

const readKey = async (folder: string, name: string): Promise<SigningKey> => {
  const source = join(folder, name);
  const pem = await readFile(source, "utf8");
  let key: KeyObject;
  try {
    key = createPrivateKey(pem);
  } catch {
    throw new SigningKeyInvalid({ source, problem: "it is not a private key in PEM" });
  }
  return signingKeyOf(key, { activeFromMs: activeFromOf(name), source });
};

const readFolder = async (folder: string): Promise<ReadonlyMap<string, SigningKey>> => {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const names = (await readdir(folder)).filter((name) => name.endsWith(".pem"));
  const keys = await Promise.all(names.map((name) => readKey(folder, name)));
  return new Map(keys.map((key, index) => [names[index] ?? "", key]));
};

/** Writes the key under another name first, so that no process reads an incomplete key. */
const writeKey = async (folder: string, key: KeyObject, activeFromMs: number): Promise<void> => {
  const path = join(folder, fileNameOf(activeFromMs));
  const pem = key.export({ format: "pem", type: "pkcs8" });
  const temporary = `${path}.${process.pid}.tmp`;
  await writeFile(temporary, pem, { mode: 0o600, flag: "wx", flush: true });
  await rename(temporary, path);
};

const attempt = <A>(work: () => Promise<A>) => Effect.tryPromise({ try: work, catch: unavailable });

const makeFolder = (options: { readonly folder: string; readonly reloadMs?: number }) => {
  const { folder, reloadMs = 60_000 } = options;
  let read: ReadonlyMap<string, SigningKey> | undefined;
  let readAtMs = 0;

  const load = Effect.fnUntraced(function* (nowMs: number) {
    const found = yield* attempt(() => readFolder(folder));
    read = found;
    readAtMs = nowMs;
    return found;
  });
  const add = Effect.fnUntraced(function* (activeFromMs: number) {
    const key = yield* generateRsaKey;
    yield* attempt(() => writeKey(folder, key, activeFromMs));
    return signingKeyOf(key, { activeFromMs: Math.floor(activeFromMs / 1000) * 1000 });
  });

  const all = Effect.gen(function* () {
    const nowMs = yield* Clock.currentTimeMillis;
    if (read !== undefined && nowMs < readAtMs + reloadMs) return [...read.values()];
    let found = yield* load(nowMs);
    if (found.size === 0) {
      yield* add(nowMs);
      found = yield* load(nowMs);
    }
    return [...found.values()];
  });

  const rotate = Effect.fnUntraced(function* (timing: KeyTiming) {
    const nowMs = yield* Clock.currentTimeMillis;
    const found = yield* load(nowMs);
    const kept = new Set(publishedKeys([...found.values()], nowMs, timing));
    for (const [name, key] of found)
      if (!kept.has(key)) yield* attempt(() => rm(join(folder, name), { force: true }));
    const added = yield* add(nowMs + timing.publishAheadMs);
    yield* load(nowMs);
    return added;
  });
  return SigningKeys.of({ all, rotate });
};
