import * as Effect from "effect/Effect";
import * as Redacted from "effect/Redacted";
import { HttpRequestInvalid } from "../errors/index.ts";

const legalName = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
/** RFC 9110 §5.5: visible ASCII, space, tab, and obs-text; never a line break. */
const legalValue = /^[\t\x20-\x7e\x80-\xff]*$/;

/** The text of a value that may be a secret. Called where bytes are written, and nowhere else. */
export const plainText = (value: string | Redacted.Redacted): string =>
  typeof value === "string" ? value : Redacted.value(value);

/** Headers as text. Fails with `HttpRequestInvalid` that names the header, where a name or value is not legal. */
export const plainHeaders = Effect.fnUntraced(function* (
  method: string,
  headers: Readonly<Record<string, string | Redacted.Redacted>>,
): Effect.fn.Return<Record<string, string>, HttpRequestInvalid> {
  const plain: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    const text = plainText(value);
    if (!legalName.test(name) || !legalValue.test(text)) {
      return yield* new HttpRequestInvalid({ method, part: `header ${name}` });
    }
    plain[name] = text;
  }
  return plain;
});
