import { compact } from "../internal/compact.ts";
import { isJsonObject, parseJson, toSingleLine } from "@agent-auth/agent-identity/encoding";

/** What an authority says about a failure, safe to show. */
export interface ServerError {
  readonly error?: string;
  readonly description?: string;
}

/**
 * Parses the body of an error response. This authority uses three shapes: `error` as a string with `error_description`
 * (RFC 6749 §5.2), `error` as an object with `code` and `message`, and `code` with `message`. Any other body, such as
 * HTML, gives an empty object. `secrets` are the secrets of the request: if the response repeats them, they are removed.
 */
export const parseServerError = (
  body: string,
  secrets: ReadonlyArray<string> = [],
): ServerError => {
  const json = parseJson(body);
  const error = member(json, "error");
  const name = text(error) ?? text(member(error, "code")) ?? text(member(error, "type"));
  const description =
    text(member(error, "message")) ??
    text(member(json, "error_description")) ??
    text(member(json, "message"));
  return makeServerError(name ?? text(member(json, "code")), description, secrets);
};

/** Makes a `ServerError` of an error code and a description, for example of a callback's query. */
export const makeServerError = (
  error: string | null | undefined,
  description: string | null | undefined,
  secrets: ReadonlyArray<string> = [],
): ServerError =>
  compact({
    error: sanitizeText(error, { maxLength: 80, secrets }),
    description: sanitizeText(description, { secrets }),
  });

const member = (value: unknown, name: string): unknown =>
  isJsonObject(value) && Object.hasOwn(value, name) ? value[name] : undefined;

const text = (value: unknown): string | undefined =>
  typeof value === "string" ? value : undefined;

/**
 * Returns a text from a server or a browser in a form that is safe in a terminal line: control, format and bidi
 * characters become one space, `secrets` become `***`, and at most `maxLength` characters (default 300) are kept. Returns
 * `undefined` if nothing is left.
 */
export const sanitizeText = (
  text: string | null | undefined,
  options: { readonly maxLength?: number; readonly secrets?: ReadonlyArray<string> } = {},
): string | undefined => {
  let safe = text ?? "";
  for (const secret of options.secrets ?? []) {
    if (secret.length > 0) safe = safe.replaceAll(secret, "***");
  }
  return toSingleLine(safe, options.maxLength ?? 300) || undefined;
};
