import type { HttpResponse } from "./index.ts";
import { oneLine } from "../encoding/printable.ts";

/** Longest quote of a foreign answer (docs/protocol.md §7). */
const maxQuotedCharacters = 512;

/**
 * What an error may tell of an answer: its status and at most 512 characters of its body, on one line. Secrets of the
 * request are struck out, since error pages like to echo what they were sent.
 */
export const quoteAnswer = (
  answer: HttpResponse,
  secrets: ReadonlyArray<string>,
): { readonly status: number; readonly statusText: string; readonly body: string } => {
  const struck = secrets.reduce(
    (body, secret) => (secret === "" ? body : body.replaceAll(secret, "<redacted>")),
    answer.body,
  );
  return {
    status: answer.status,
    statusText: oneLine(answer.statusText, 64),
    body: oneLine(struck, maxQuotedCharacters),
  };
};
