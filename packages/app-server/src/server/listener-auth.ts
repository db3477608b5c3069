import { isUtf8 } from "node:buffer";
import { isJsonObject, parseJson } from "@agent-auth/agent-identity/encoding";
import { hasSha256, sha256 } from "@agent-auth/agent-identity/keys/same-secret";
import { readRegularFile } from "@agent-auth/login/storage/fs";
import * as Effect from "effect/Effect";
import { ListenerSecretUnusable } from "../errors/listener.ts";

/** How clients of a WebSocket listener prove that they may connect. */
export type ListenerAuth =
  /** Without proof: every program that can reach the listener may use it. */
  | { readonly _tag: "None" }
  /** A token that clients send. The listener keeps only its SHA-256 digest (32 bytes). */
  | { readonly _tag: "CapabilityToken"; readonly sha256: Uint8Array }
  /** A JWT that is signed with HS256 and a shared secret of at least 32 bytes. */
  | {
      readonly _tag: "SignedBearerToken";
      readonly secret: Uint8Array;
      readonly issuer?: string;
      readonly audience?: string;
      /** Default 30. */
      readonly maxClockSkewSeconds?: number;
    };

/** Why a client is refused: the body of the 401. */
export type AuthRefusal =
  | "missing websocket bearer token"
  | "invalid authorization header"
  | "invalid websocket bearer token"
  | "invalid websocket jwt"
  | "expired websocket jwt"
  | "websocket jwt is not valid yet"
  | "websocket jwt issuer mismatch"
  | "websocket jwt audience mismatch";

/** Checks the `Authorization` headers of a handshake. */
export type CheckAuthorization = (
  headers: readonly string[],
) => AuthRefusal | undefined | Promise<AuthRefusal | undefined>;

/** Returns the function that checks the `Authorization` header of every handshake. Comparisons take constant time. */
export const makeCheckAuthorization = (auth: ListenerAuth): CheckAuthorization => {
  if (auth._tag === "None") return () => undefined;
  const check = auth._tag === "CapabilityToken" ? checkCapabilityToken(auth) : checkJwt(auth);
  return (headers) => {
    const [header] = headers;
    if (header === undefined) return "missing websocket bearer token";
    // With several headers, a proxy in front of the listener could have checked another one.
    const token = headers.length > 1 ? undefined : bearerToken(header);
    return token === undefined ? "invalid authorization header" : check(token);
  };
};

const bearerToken = (header: string): string | undefined => {
  const token = /^bearer (.*)$/iu.exec(header)?.[1]?.trim();
  return token === undefined || token === "" || !/^[\x20-\x7e]+$/u.test(token) ? undefined : token;
};

const checkCapabilityToken = (auth: { readonly sha256: Uint8Array }) => {
  const expected = Buffer.from(auth.sha256);
  if (expected.length !== 32) throw new TypeError("sha256 must have 32 bytes");
  return (token: string): AuthRefusal | undefined =>
    hasSha256(token, expected) ? undefined : "invalid websocket bearer token";
};

const MIN_SECRET_BYTES = 32;
const DEFAULT_SKEW_SECONDS = 30;

const checkJwt = (auth: ListenerAuth & { readonly _tag: "SignedBearerToken" }) => {
  const { audience, issuer, maxClockSkewSeconds: skew = DEFAULT_SKEW_SECONDS, secret } = auth;
  if (secret.length < MIN_SECRET_BYTES)
    throw new TypeError(`secret must have at least ${MIN_SECRET_BYTES} bytes`);
  if (!Number.isSafeInteger(skew) || skew < 0)
    throw new TypeError("maxClockSkewSeconds must be a whole number of seconds");
  return async (token: string): Promise<AuthRefusal | undefined> => {
    const { compactVerify } = await import("jose");
    const claims = await compactVerify(token, secret, { algorithms: ["HS256"] }).then(
      ({ payload }) => readClaims(payload),
      () => undefined,
    );
    if (claims === undefined) return "invalid websocket jwt";
    // Codex checks the claims in this order.
    const nowSeconds = Math.floor(Date.now() / 1000);
    if (claims.exp < nowSeconds - skew) return "expired websocket jwt";
    if (claims.nbf !== undefined && claims.nbf > nowSeconds + skew)
      return "websocket jwt is not valid yet";
    if (issuer !== undefined && claims.iss !== issuer) return "websocket jwt issuer mismatch";
    if (audience !== undefined && !claims.aud.includes(audience))
      return "websocket jwt audience mismatch";
    return undefined;
  };
};

interface Claims {
  readonly exp: number;
  readonly nbf: number | undefined;
  readonly iss: string | undefined;
  readonly aud: readonly string[];
}

/** Returns the claims to check, or `undefined` if one has the wrong type. Times are whole seconds. */
const readClaims = (payload: Uint8Array): Claims | undefined => {
  const value = isUtf8(payload) ? parseJson(Buffer.from(payload).toString()) : undefined;
  if (!isJsonObject(value)) return undefined;
  const { aud = [], exp, iss, nbf }: Partial<Record<keyof Claims, unknown>> = value;
  const audiences: readonly unknown[] = Array.isArray(aud) ? aud : [aud];
  if (!isWhole(exp) || !(nbf === undefined || isWhole(nbf))) return undefined;
  if (iss !== undefined && typeof iss !== "string") return undefined;
  if (!audiences.every((one) => typeof one === "string")) return undefined;
  return { exp, nbf, iss, aud: audiences };
};

const isWhole = (value: unknown): value is number => Number.isSafeInteger(value);

const MAX_FILE_BYTES = 64 * 1024;

/**
 * Reads a capability token from a file, without the white space around it, and returns its digest.
 *
 * @example
 * ```ts
 * import { capabilityTokenFromFile } from "@agent-auth/app-server/server";
 * import { isJsonObject, parseJson } from "@agent-auth/agent-identity/encoding";
import * as Effect from "effect/Effect";
 * import { mkdtempSync, writeFileSync } from "node:fs";
 * import { tmpdir } from "node:os";
 * import { join } from "node:path";
 *
 * const path = join(mkdtempSync(join(tmpdir(), "token-")), "token");
 * writeFileSync(path, "a-long-random-token\n", { mode: 0o600 });
 * console.log((await Effect.runPromise(capabilityTokenFromFile(path)))._tag); // CapabilityToken
 * ```
 */
export const capabilityTokenFromFile = (
  path: string,
): Effect.Effect<ListenerAuth, ListenerSecretUnusable> =>
  Effect.map(readSecret(path), (token) => ({ _tag: "CapabilityToken", sha256: sha256(token) }));

/**
 * Reads the shared secret of signed bearer tokens: at least 32 bytes, without the white space around it.
 *
 * @example
 * ```ts
 * import { sharedSecretFromFile } from "@agent-auth/app-server/server";
 * import { isJsonObject, parseJson } from "@agent-auth/agent-identity/encoding";
import * as Effect from "effect/Effect";
 * import { mkdtempSync, writeFileSync } from "node:fs";
 * import { tmpdir } from "node:os";
 * import { join } from "node:path";
 *
 * const path = join(mkdtempSync(join(tmpdir(), "secret-")), "secret");
 * writeFileSync(path, "0123456789abcdef0123456789abcdef\n", { mode: 0o600 });
 * const secret = await Effect.runPromise(sharedSecretFromFile(path));
 * console.log(secret.length); // 32
 * ```
 */
export const sharedSecretFromFile = (
  path: string,
): Effect.Effect<Uint8Array, ListenerSecretUnusable> =>
  Effect.flatMap(readSecret(path), (text) => {
    const secret = Buffer.from(text);
    return secret.length >= MIN_SECRET_BYTES
      ? Effect.succeed(secret)
      : new ListenerSecretUnusable({
          path,
          problem: { _tag: "TooShort", minBytes: MIN_SECRET_BYTES },
        });
  });

const readSecret = Effect.fnUntraced(function* (path: string) {
  const found = yield* Effect.promise(() => readRegularFile(path, MAX_FILE_BYTES));
  if ("problem" in found)
    return yield* new ListenerSecretUnusable({
      path,
      problem: { _tag: "Unreadable", reason: found.problem },
    });
  const text = found.bytes.toString("utf8").trim();
  if (text === "") return yield* new ListenerSecretUnusable({ path, problem: { _tag: "Empty" } });
  if (process.platform !== "win32" && (found.mode & 0o007) !== 0)
    yield* Effect.logWarning(
      `every user of this machine can access ${path}; run: chmod 600 ${path}`,
    );
  return text;
});
