import { IllegalHeader } from "../errors/index.ts";

/** A header name is a token (RFC 9110 §5.1). */
const headerName = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/** Visible ASCII, inner spaces and tabs (RFC 9110 §5.5, without obs-text, which nobody can agree how to read). */
const headerValue = /^[\x21-\x7e](?:[\t\x20-\x7e]*[\x21-\x7e])?$/;

/** Headers that frame a message or steer its connection: a configured value would break or smuggle requests. */
const reserved: ReadonlySet<string> = new Set([
  "connection",
  "content-length",
  "expect",
  "host",
  "keep-alive",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/** What is wrong with a header, or `null`. */
export const checkHeader = (
  header: string,
  value: string,
  from: IllegalHeader["from"],
): IllegalHeader | null => {
  if (!headerName.test(header)) return new IllegalHeader({ header, from, reason: "name" });
  if (reserved.has(header.toLowerCase()))
    return new IllegalHeader({ header, from, reason: "reserved" });
  return headerValue.test(value) ? null : new IllegalHeader({ header, from, reason: flaw(value) });
};

const flaw = (value: string): IllegalHeader["reason"] => {
  if (value.trim() === "") return "empty";
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  if (/[\x00-\x08\x0a-\x1f\x7f]/.test(value)) return "controlByte";
  return value === value.trim() ? "notAscii" : "surroundingSpace";
};
