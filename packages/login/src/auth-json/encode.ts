import * as Redacted from "effect/Redacted";
import type { AuthDocument, AuthTokens, OauthProvenance, UnknownMember } from "./document.ts";
import { type JsonLayout, reformatJson } from "./reformat.ts";

export interface EncodeOptions {
  /** `pretty` (default): two spaces, as in a file. `compact`: no white space, as in a keyring. */
  readonly layout?: JsonLayout;
}

/** A known key and its JSON text; no text where the key is left out. */
type Slot = readonly [key: string, json: string | undefined];

/**
 * The text of a document, without a newline at the end: known keys in the order of PROTOCOL §2, unknown ones where
 * they stood. The answer holds secrets in clear.
 */
export const encodeAuthJson = (document: AuthDocument, options?: EncodeOptions): string =>
  reformatJson(
    object(
      [
        ["auth_mode", text(document.authMode)],
        ["OPENAI_API_KEY", secret(document.openaiApiKey) ?? "null"],
        ["tokens", document.tokens && tokens(document.tokens)],
        ["last_refresh", text(document.lastRefresh)],
        ["agent_identity", agentIdentity(document.agentIdentity)],
        ["personal_access_token", secret(document.personalAccessToken)],
      ],
      document.unknown,
    ),
    options?.layout ?? "pretty",
  );

const tokens = (value: AuthTokens): string =>
  object(
    [
      ["id_token", secret(value.idToken)],
      ["access_token", secret(value.accessToken)],
      ["refresh_token", secret(value.refreshToken)],
      ["oauth_provenance", value.oauthProvenance && provenance(value.oauthProvenance)],
      ["login_owner_id", text(value.loginOwnerId)],
      ["account_id", text(value.accountId)],
    ],
    value.unknown,
  );

const provenance = (value: OauthProvenance): string =>
  object(
    [
      ["issuer", text(value.issuer)],
      ["client_id", text(value.clientId)],
    ],
    value.unknown,
  );

const agentIdentity = (value: AuthDocument["agentIdentity"]): string | undefined => {
  if (value === undefined) return undefined;
  return value._tag === "Jwt" ? secret(value.jwt) : Redacted.value(value.json);
};

const text = (value: string | undefined): string | undefined =>
  value === undefined ? undefined : JSON.stringify(value);

const secret = (value: Redacted.Redacted | undefined): string | undefined =>
  value === undefined ? undefined : JSON.stringify(Redacted.value(value));

const object = (slots: ReadonlyArray<Slot>, unknown: ReadonlyArray<UnknownMember> = []): string => {
  const known = new Set(slots.map(([key]) => key));
  const members: Array<string> = [];
  const add = (key: string, json: string): number => members.push(`${JSON.stringify(key)}:${json}`);
  const addUnknown = (belongs: (after: string | undefined) => boolean): void => {
    for (const { key, json, after } of unknown)
      if (belongs(after)) add(Redacted.value(key), Redacted.value(json));
  };
  addUnknown((after) => after === undefined || !known.has(after));
  for (const [key, json] of slots) {
    if (json !== undefined) add(key, json);
    addUnknown((after) => after === key);
  }
  return `{${members.join(",")}}`;
};
