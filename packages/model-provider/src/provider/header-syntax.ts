import { HeaderInvalid } from "../errors/index.ts";

/** A header name is a token (RFC 9110 §5.1). */
const headerName = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/** Visible ASCII with inner spaces and tabs (RFC 9110 §5.5, without obs-text, whose encoding is undefined). */
const headerValue = /^[\x21-\x7e](?:[\t\x20-\x7e]*[\x21-\x7e])?$/;

/** Headers that frame a message or control its connection. A configured value would break or smuggle requests. */
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

/** Returns what is wrong with a header, or `null`. */
export const checkHeader = (
  header: string,
  value: string,
  from: HeaderInvalid["from"],
): HeaderInvalid | null => {
  if (!headerName.test(header)) return new HeaderInvalid({ header, from, reason: "name" });
  if (reserved.has(header.toLowerCase()))
    return new HeaderInvalid({ header, from, reason: "reserved" });
  return headerValue.test(value) ? null : new HeaderInvalid({ header, from, reason: flaw(value) });
};

const flaw = (value: string): HeaderInvalid["reason"] => {
  if (value.trim() === "") return "empty";
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  if (/[\x00-\x08\x0a-\x1f\x7f]/.test(value)) return "controlByte";
  return value === value.trim() ? "notAscii" : "surroundingSpace";
};

/** Header names that say that their value is a credential: `api-key`, `X-Auth-Token`, `Cookie`, … */
const credentialName = /auth(?!ors?\b)|cookie|credential|key|password|secret|token/i;

/** Headers that name an organization or project and are often set from a variable. */
const notCredentials: ReadonlySet<string> = new Set(["openai-organization", "openai-project"]);

/**
 * Returns whether a configured header counts as the provider's credential: one whose name says so, and every header
 * whose value comes from an environment variable, except organization and project.
 */
export const isCredentialHeader = (name: string, from: "http_headers" | "env_http_headers") =>
  credentialName.test(name) ||
  (from === "env_http_headers" && !notCredentials.has(name.toLowerCase()));

/** The header of `enforce_residency`. */
export const residencyHeader = "x-openai-internal-codex-residency";
