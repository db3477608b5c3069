import { isAscii, isUtf8 } from "node:buffer";
import * as Effect from "effect/Effect";
import * as Redacted from "effect/Redacted";
import { AuthJsonInvalid } from "../../errors/store.ts";
import {
  type AuthDocument,
  type AuthMode,
  type AuthTokens,
  authModes,
  type OauthProvenance,
  type StoredAgentIdentity,
  type UnknownMember,
} from "./document.ts";
import { ScanFailure, Scanner } from "./scanner.ts";

type Draft<T> = { -readonly [K in keyof T]: T[K] };

/**
 * Reads the text or bytes of an `auth.json` (docs/protocol.md §2). Everything is kept, so `encodeAuthJson` loses
 * nothing. Fails on anything but exactly one JSON object in UTF-8 without a byte order mark, on keys that occur twice
 * at any depth, and on known keys of the wrong type; the error names key, line and column, never a value. An optional
 * key may be `null`. JWTs are neither decoded nor verified. `where` is the name that errors use.
 *
 * @example
 * ```ts
 * import { parseAuthJson } from "@agent-auth/login/storage/auth-json";
 * import * as Effect from "effect/Effect";
 *
 * const text = '{"OPENAI_API_KEY":"sk-example","tokens":null,"last_refresh":"2026-01-31T12:00:00Z"}';
 * const document = await Effect.runPromise(parseAuthJson(text));
 * console.log(document.lastRefresh); // 2026-01-31T12:00:00Z
 * ```
 */
export const parseAuthJson = (
  input: string | Uint8Array,
  where = "auth.json",
): Effect.Effect<AuthDocument, AuthJsonInvalid> => {
  let text = "";
  try {
    text = typeof input === "string" ? input : decodeUtf8(input);
    return Effect.succeed(readAuthJson(text));
  } catch (failure) {
    if (!(failure instanceof ScanFailure)) throw failure;
    return Effect.fail(
      new AuthJsonInvalid({
        where,
        path: failure.path,
        reason: failure.message,
        ...lineAndColumn(text, failure.offset),
      }),
    );
  }
};

const decodeUtf8 = (bytes: Uint8Array): string => {
  const buffer = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes);
  if (isAscii(buffer)) return buffer.toString("latin1"); // nearly every file, and twice as fast
  if (!isUtf8(buffer)) throw new ScanFailure("", 0, "is not UTF-8");
  return buffer.toString("utf8");
};

const lineAndColumn = (text: string, offset: number): { line?: number; column?: number } => {
  if (text === "") return {};
  const before = text.slice(0, offset);
  const lastBreak = before.lastIndexOf("\n");
  return { line: before.split("\n").length, column: offset - lastBreak };
};

const readAuthJson = (text: string): AuthDocument => {
  if (text.startsWith("\uFEFF"))
    throw new ScanFailure("", 0, "starts with a byte order mark; expected plain UTF-8");
  const scanner = new Scanner(text);
  if (scanner.peek() === "the end of the text") scanner.fail("", "is empty; expected an object");
  const document: Draft<AuthDocument> = {};
  const unknown = readMembers(scanner, "", (key, path) => readMember(scanner, document, key, path));
  scanner.end();
  if (unknown.length > 0) document.unknown = unknown;
  return document;
};

/** `read` returns false and consumes nothing for a key that it does not know. */
const readMembers = (
  scanner: Scanner,
  path: string,
  read: (key: string, path: string) => boolean,
): ReadonlyArray<UnknownMember> => {
  const unknown: Array<UnknownMember> = [];
  let after: string | undefined;
  scanner.object(path, (key, keyPath) => {
    if (read(key, keyPath)) {
      after = key;
      return;
    }
    const json = Redacted.make(scanner.raw(keyPath), { label: "unknown value" });
    const name = Redacted.make(key, { label: "unknown key" });
    unknown.push(after === undefined ? { key: name, json } : { key: name, json, after });
  });
  return unknown;
};

const readMember = (
  scanner: Scanner,
  document: Draft<AuthDocument>,
  key: string,
  path: string,
): boolean => {
  switch (key) {
    case "auth_mode":
      if (!scanner.takeNull(path)) document.authMode = readAuthMode(scanner, path);
      return true;
    case "OPENAI_API_KEY":
      if (!scanner.takeNull(path)) document.openaiApiKey = readSecret(scanner, path, key);
      return true;
    case "tokens":
      if (!scanner.takeNull(path)) document.tokens = readTokens(scanner, path);
      return true;
    case "last_refresh":
      if (!scanner.takeNull(path)) document.lastRefresh = readTime(scanner, path);
      return true;
    case "agent_identity":
      if (!scanner.takeNull(path)) document.agentIdentity = readAgentIdentity(scanner, path);
      return true;
    case "personal_access_token":
      if (!scanner.takeNull(path)) document.personalAccessToken = readSecret(scanner, path, key);
      return true;
    default:
      return false;
  }
};

const readSecret = (scanner: Scanner, path: string, label: string): Redacted.Redacted =>
  Redacted.make(scanner.string(path), { label });

const isAuthMode = (text: string): text is AuthMode => authModes.some((mode) => mode === text);

/** Words that errors may show: text that could be a key or token does not match. */
const showable = /^(?!sk-|at-|ey)[A-Za-z][A-Za-z0-9_-]{0,39}$/;

const readAuthMode = (scanner: Scanner, path: string): AuthMode => {
  scanner.expect("a string", path);
  const start = scanner.offset;
  const text = scanner.string(path);
  if (isAuthMode(text)) return text;
  const name = showable.test(text) ? ` "${text}"` : "";
  return scanner.fail(path, `unknown mode${name}; expected one of ${authModes.join(", ")}`, start);
};

const timestamp = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/;

const readTime = (scanner: Scanner, path: string): string => {
  scanner.expect("a string", path);
  const start = scanner.offset;
  const text = scanner.string(path);
  if (timestamp.test(text) && !Number.isNaN(Date.parse(text))) return text;
  return scanner.fail(path, "expected a time such as 2026-04-13T12:00:00.123456Z", start);
};

const readTokens = (scanner: Scanner, path: string): AuthTokens => {
  const found: Draft<Partial<AuthTokens>> = {};
  scanner.expect("an object", path);
  const start = scanner.offset;
  const unknown = readMembers(scanner, path, (key, keyPath) => {
    switch (key) {
      case "id_token":
        found.idToken = readSecret(scanner, keyPath, key);
        return true;
      case "access_token":
        found.accessToken = readSecret(scanner, keyPath, key);
        return true;
      case "refresh_token":
        found.refreshToken = readSecret(scanner, keyPath, key);
        return true;
      case "oauth_provenance":
        if (!scanner.takeNull(keyPath)) found.oauthProvenance = readProvenance(scanner, keyPath);
        return true;
      case "login_owner_id":
        if (!scanner.takeNull(keyPath)) found.loginOwnerId = scanner.string(keyPath);
        return true;
      case "account_id":
        if (!scanner.takeNull(keyPath)) found.accountId = scanner.string(keyPath);
        return true;
      default:
        return false;
    }
  });
  const missing = (key: string): never =>
    scanner.fail(`${path}.${key}`, "is missing; expected a string", start);
  return {
    ...found,
    idToken: found.idToken ?? missing("id_token"),
    accessToken: found.accessToken ?? missing("access_token"),
    refreshToken: found.refreshToken ?? missing("refresh_token"),
    ...(unknown.length > 0 ? { unknown } : {}),
  };
};

const readProvenance = (scanner: Scanner, path: string): OauthProvenance => {
  const found: Draft<Partial<OauthProvenance>> = {};
  scanner.expect("an object", path);
  const start = scanner.offset;
  const unknown = readMembers(scanner, path, (key, keyPath) => {
    if (key === "issuer") found.issuer = scanner.string(keyPath);
    else if (key === "client_id") found.clientId = scanner.string(keyPath);
    else return false;
    return true;
  });
  const missing = (key: string): never =>
    scanner.fail(`${path}.${key}`, "is missing; expected a string", start);
  return {
    issuer: found.issuer ?? missing("issuer"),
    clientId: found.clientId ?? missing("client_id"),
    ...(unknown.length > 0 ? { unknown } : {}),
  };
};

const requiredOfRecord = ["agent_runtime_id", "agent_private_key"] as const;
const textsOfRecord = new Set([
  ...requiredOfRecord,
  "workspace_id",
  "account_id",
  "chatgpt_user_id",
  "email",
  "plan_type",
  "registered_at",
  "task_id",
  "background_task_id",
]);

const readAgentIdentity = (scanner: Scanner, path: string): StoredAgentIdentity => {
  const kind = scanner.peek();
  const start = scanner.offset;
  if (kind === "a string") {
    const jwt = scanner.string(path);
    const parts = jwt.split(".");
    if (parts.length !== 3 || parts.includes(""))
      scanner.fail(path, "invalid ID token format; expected a JWT or an object", start);
    return { _tag: "Jwt", jwt: Redacted.make(jwt, { label: path }) };
  }
  if (kind !== "an object") scanner.fail(path, `expected a JWT or an object, found ${kind}`, start);
  checkRecord(scanner, path, start);
  const json = scanner.text.slice(start, scanner.offset);
  return { _tag: "Record", json: Redacted.make(json, { label: path }) };
};

const checkRecord = (scanner: Scanner, path: string, start: number): void => {
  const present = new Set<string>();
  scanner.object(path, (key, keyPath) => {
    if (scanner.takeNull(keyPath)) return;
    present.add(key);
    if (textsOfRecord.has(key)) scanner.string(keyPath);
    else if (key === "chatgpt_account_is_fedramp") scanner.boolean(keyPath);
    else scanner.raw(keyPath);
  });
  for (const key of requiredOfRecord)
    if (!present.has(key)) scanner.fail(`${path}.${key}`, "is missing; expected a string", start);
  if (!present.has("workspace_id") && !present.has("account_id"))
    scanner.fail(`${path}.account_id`, "is missing; expected a string", start);
};
