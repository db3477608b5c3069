import { toSingleLine } from "../encoding/text.ts";
import type { HttpResponse } from "./index.ts";

/** Longest quotation of a response body (docs/protocol.md §7). */
const maxQuotedCharacters = 512;

/**
 * What an error may show of a response: its status and at most 512 characters of its body, on one line. Secrets of the
 * request are replaced, since error pages may echo what was sent.
 */
export const quoteResponse = (
  response: HttpResponse,
  secrets: ReadonlyArray<string>,
): { readonly status: number; readonly statusText: string; readonly body: string } => {
  const redacted = secrets.reduce(
    (body, secret) => (secret === "" ? body : body.replaceAll(secret, "<redacted>")),
    response.body,
  );
  return {
    status: response.status,
    statusText: toSingleLine(response.statusText, 64),
    body: toSingleLine(redacted, maxQuotedCharacters),
  };
};
