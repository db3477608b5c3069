import * as Redacted from "effect/Redacted";
import type { AuthDocument, AuthTokens, OauthProvenance, UnknownMember } from "./document.ts";
import { type JsonLayout, reformatJson } from "./reformat.ts";

export interface EncodeOptions {
  /** `pretty` (default): two spaces, as in a file. `compact`: no white space, as in a keyring. */
  readonly layout?: JsonLayout;
}

/** A known key and its JSON text; no text if the key is omitted. */
type Slot = readonly [key: string, json: string | undefined];

/** The depth of an object, and its layout. */
interface Place {
  readonly layout: JsonLayout;
  readonly depth: number;
}

/**
 * Returns the text of a document, without a newline at the end: known keys in the order of docs/protocol.md §2, unknown
 * ones in their old places. `pretty` does not reformat the values of unknown keys, so that a file does not grow with each
 * rewrite. The text contains secrets.
 *
 * @example
 * ```ts
 * import { encodeAuthJson, parseAuthJson } from "@agent-auth/login/storage/auth-json";
 * import * as Effect from "effect/Effect";
 *
 * const text = '{"OPENAI_API_KEY":"sk-example","tokens":null,"last_refresh":"2026-01-31T12:00:00Z"}';
 * const document = await Effect.runPromise(parseAuthJson(text));
 * const written = encodeAuthJson(document);
 * ```
 */
export const encodeAuthJson = (document: AuthDocument, options?: EncodeOptions): string => {
  const place: Place = { layout: options?.layout ?? "pretty", depth: 0 };
  const inner = inside(place);
  return object(
    place,
    [
      ["auth_mode", text(document.authMode)],
      ["OPENAI_API_KEY", secret(document.openaiApiKey) ?? "null"],
      ["tokens", document.tokens && tokens(inner, document.tokens)],
      ["last_refresh", text(document.lastRefresh)],
      ["agent_identity", agentIdentity(inner, document.agentIdentity)],
      ["personal_access_token", secret(document.personalAccessToken)],
    ],
    document.unknown,
  );
};

const inside = ({ layout, depth }: Place): Place => ({ layout, depth: depth + 1 });

const tokens = (place: Place, value: AuthTokens): string =>
  object(
    place,
    [
      ["id_token", secret(value.idToken)],
      ["access_token", secret(value.accessToken)],
      ["refresh_token", secret(value.refreshToken)],
      [
        "oauth_provenance",
        value.oauthProvenance && provenance(inside(place), value.oauthProvenance),
      ],
      ["login_owner_id", text(value.loginOwnerId)],
      ["account_id", text(value.accountId)],
    ],
    value.unknown,
  );

const provenance = (place: Place, value: OauthProvenance): string =>
  object(
    place,
    [
      ["issuer", text(value.issuer)],
      ["client_id", text(value.clientId)],
    ],
    value.unknown,
  );

const agentIdentity = (place: Place, value: AuthDocument["agentIdentity"]): string | undefined => {
  if (value === undefined) return undefined;
  return value._tag === "Jwt"
    ? secret(value.jwt)
    : reformatJson(Redacted.value(value.json), place.layout, place.depth);
};

const text = (value: string | undefined): string | undefined =>
  value === undefined ? undefined : JSON.stringify(value);

const secret = (value: Redacted.Redacted | undefined): string | undefined =>
  value === undefined ? undefined : JSON.stringify(Redacted.value(value));

const object = (
  { layout, depth }: Place,
  slots: ReadonlyArray<Slot>,
  unknown: ReadonlyArray<UnknownMember> = [],
): string => {
  const colon = layout === "pretty" ? ": " : ":";
  const known = new Set(slots.map(([key]) => key));
  const members: Array<string> = [];
  const add = (key: string, json: string): number =>
    members.push(`${JSON.stringify(key)}${colon}${json}`);
  const addUnknown = (belongs: (after: string | undefined) => boolean): void => {
    for (const { key, json, after } of unknown) {
      if (!belongs(after)) continue;
      const asItStood = Redacted.value(json);
      add(Redacted.value(key), layout === "pretty" ? asItStood : reformatJson(asItStood, layout));
    }
  };
  addUnknown((after) => after === undefined || !known.has(after));
  for (const [key, json] of slots) {
    if (json !== undefined) add(key, json);
    addUnknown((after) => after === key);
  }
  if (layout === "compact" || members.length === 0) return `{${members.join(",")}}`;
  const line = `\n${"  ".repeat(depth)}`;
  return `{${line}  ${members.join(`,${line}  `)}${line}}`;
};
