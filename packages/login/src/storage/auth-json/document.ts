import * as Redacted from "effect/Redacted";

export const authModes = [
  "apikey",
  "chatgpt",
  "chatgptAuthTokens",
  "agentIdentity",
  "personalAccessToken",
  "headers",
  "bedrockApiKey",
  "bedrockAccessKeys",
] as const;

/**
 * The modes that Codex writes. `headers` and the two of Amazon Bedrock cannot be used here; a rewrite keeps their members
 * as unknown ones.
 */
export type AuthMode = (typeof authModes)[number];

/**
 * An unknown member of an object. A newer program may own it, so a rewrite keeps it, numbers to the digit. Key and value
 * may be secrets.
 */
export interface UnknownMember {
  readonly key: Redacted.Redacted;
  /** JSON text as it was read. */
  readonly json: Redacted.Redacted;
  /** The known key before it; absent if there was none. */
  readonly after?: string;
}

/** The authority that issued the tokens, if the file names it. */
export interface OauthProvenance {
  readonly issuer: string;
  readonly clientId: string;
  readonly unknown?: ReadonlyArray<UnknownMember>;
}

export interface AuthTokens {
  /** The raw JWT; its signature is never verified. */
  readonly idToken: Redacted.Redacted;
  readonly accessToken: Redacted.Redacted;
  readonly refreshToken: Redacted.Redacted;
  readonly oauthProvenance?: OauthProvenance;
  /** 43 base64url characters, new at each sign-in. */
  readonly loginOwnerId?: string;
  readonly accountId?: string;
  readonly unknown?: ReadonlyArray<UnknownMember>;
}

/** `agent_identity`: a JWT that has to be verified at every load, or a record written by a sign-in here. */
export type StoredAgentIdentity =
  | { readonly _tag: "Jwt"; readonly jwt: Redacted.Redacted }
  /** One JSON object, as text: `parseStoredAgentIdentity(recordFields(stored))` reads it. */
  | { readonly _tag: "Record"; readonly json: Redacted.Redacted };

/**
 * The content of an `auth.json` (docs/protocol.md §2). Types were checked; whether it is a complete sign-in was not.
 * To change one, spread it: `unknown` keeps the members that are not known here.
 */
export interface AuthDocument {
  readonly authMode?: AuthMode;
  /** Absent for `null`, which is what is written then. It may be empty. */
  readonly openaiApiKey?: Redacted.Redacted;
  readonly tokens?: AuthTokens;
  /** RFC 3339 as written, up to nine fractional digits; `lastRefreshMs` reads it. */
  readonly lastRefresh?: string;
  readonly agentIdentity?: StoredAgentIdentity;
  readonly personalAccessToken?: Redacted.Redacted;
  readonly unknown?: ReadonlyArray<UnknownMember>;
}

/**
 * The mode that is written, else the one that docs/protocol.md §2 derives. `agentIdentity` also for a ChatGPT mode
 * without tokens but with an identity ("agent identity only").
 *
 * @example
 * ```ts
 * import { effectiveAuthMode, parseAuthJson } from "@agent-auth/login/storage/auth-json";
 * import * as Effect from "effect/Effect";
 *
 * const text = '{"OPENAI_API_KEY":"sk-example","tokens":null,"last_refresh":"2026-01-31T12:00:00Z"}';
 * const document = await Effect.runPromise(parseAuthJson(text));
 * console.log(effectiveAuthMode(document)); // apikey
 * ```
 */
export const effectiveAuthMode = (document: AuthDocument): AuthMode => {
  const mode = document.authMode ?? defaultMode(document);
  const isChatgpt = mode === "chatgpt" || mode === "chatgptAuthTokens";
  return isChatgpt && document.tokens === undefined && document.agentIdentity !== undefined
    ? "agentIdentity"
    : mode;
};

const defaultMode = (document: AuthDocument): AuthMode => {
  if (document.personalAccessToken !== undefined) return "personalAccessToken";
  return document.openaiApiKey === undefined ? "chatgpt" : "apikey";
};

/**
 * `last_refresh` in milliseconds since the epoch; absent if the document has none.
 *
 * @example
 * ```ts
 * import { lastRefreshMs, parseAuthJson } from "@agent-auth/login/storage/auth-json";
 * import * as Effect from "effect/Effect";
 *
 * const text = '{"OPENAI_API_KEY":"sk-example","tokens":null,"last_refresh":"2026-01-31T12:00:00Z"}';
 * const document = await Effect.runPromise(parseAuthJson(text));
 * console.log(lastRefreshMs(document)); // 1769860800000
 * ```
 */
export const lastRefreshMs = (document: AuthDocument): number | undefined =>
  document.lastRefresh === undefined ? undefined : Date.parse(document.lastRefresh);

/**
 * The members of a stored record as a plain value, private key included: for `parseStoredAgentIdentity`.
 *
 * @example
 * ```ts
 * import { makeStoredRecord, recordFields } from "@agent-auth/login/storage/auth-json";
 *
 * const stored = makeStoredRecord({ agent_runtime_id: "agent-1", email: undefined });
 * console.log(recordFields(stored)); // { agent_runtime_id: "agent-1" }
 * ```
 */
export const recordFields = (
  stored: Extract<StoredAgentIdentity, { readonly _tag: "Record" }>,
): unknown => JSON.parse(Redacted.value(stored.json));

/**
 * Makes a stored record of members in the order given. Undefined ones are left out.
 *
 * @example
 * ```ts
 * import { encodeAuthJson, makeStoredRecord } from "@agent-auth/login/storage/auth-json";
 *
 * const agentIdentity = makeStoredRecord({ agent_runtime_id: "agent-1", workspace_id: "acct-1" });
 * const text = encodeAuthJson({ authMode: "agentIdentity", agentIdentity });
 * ```
 */
export const makeStoredRecord = (
  fields: Readonly<Record<string, string | boolean | null | undefined>>,
): Extract<StoredAgentIdentity, { readonly _tag: "Record" }> => ({
  _tag: "Record",
  json: Redacted.make(JSON.stringify(fields), { label: "agent_identity" }),
});
