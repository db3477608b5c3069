import { z } from "zod";
import { compact } from "../internal/compact.ts";
import { plainText } from "./plain-text.ts";

/** What an authority says of a failure, fit to be shown. */
export interface ServerError {
  readonly error?: string;
  readonly description?: string;
}

const text = z.string().optional().catch(undefined);
const ErrorBody = z.object({
  error: z
    .union([z.string(), z.object({ code: text, type: text, message: text })])
    .optional()
    .catch(undefined),
  error_description: text,
  code: text,
  message: text,
});

/**
 * Reads the body of a refusal. This authority has three shapes: `error` as a string beside `error_description`
 * (RFC 6749 §5.2), `error` as an object with `code` and `message`, and `code` beside `message`. Anything else, HTML for
 * one, gives nothing. `secrets` are what the request carried: an answer that repeats them is shown without them.
 */
export const parseServerError = (
  body: string,
  secrets: ReadonlyArray<string> = [],
): ServerError => {
  const read = ErrorBody.safeParse(parseJson(body));
  if (!read.success) return {};
  const { error, error_description, code, message } = read.data;
  const nested = typeof error === "object" ? error : undefined;
  const name = typeof error === "string" ? error : (nested?.code ?? nested?.type ?? code);
  return serverError(name, nested?.message ?? error_description ?? message, secrets);
};

/** The same from the query of an authorization answer. */
export const serverError = (
  error: string | null | undefined,
  description: string | null | undefined,
  secrets: ReadonlyArray<string> = [],
): ServerError => {
  const name = plainText(error, { maxLength: 80, secrets });
  return compact({ error: name, description: plainText(description, { secrets }) });
};

/** `undefined` where the text is no JSON. */
export const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};
