import type { ModelProviderError } from "@agent-auth/model-provider/errors";
import { CliError } from "../errors/cli-error.ts";

/**
 * What a rejected request means. Errors of our packages pass; anything else is a failure of the network, of which
 * only the errno is kept: foreign messages may quote a URL with a secret in it.
 */
export const toRequestError = (error: unknown): ModelProviderError | CliError => {
  if (isProviderError(error)) return error;
  const errno = errnoOf(error);
  return new CliError({
    code: "CLI_REQUEST_FAILED",
    message: `the request got no answer${errno === undefined ? "" : ` (${errno})`}`,
    hint: mending(errno),
  });
};

const isProviderError = (error: unknown): error is ModelProviderError =>
  error instanceof Error &&
  "code" in error &&
  typeof error.code === "string" &&
  /^(?:PROVIDER|LOGIN|AGENT_IDENTITY)_/u.test(error.code);

/** undici puts the system's error below its own, sometimes twice. */
export const errnoOf = (error: unknown): string | undefined => {
  for (let at = error, depth = 0; at instanceof Error && depth < 5; depth += 1) {
    if ("code" in at && typeof at.code === "string") return at.code;
    at = at.cause instanceof AggregateError ? at.cause.errors[0] : at.cause;
  }
  return undefined;
};

const certificateTrouble: ReadonlySet<string> = new Set([
  "CERT_HAS_EXPIRED",
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
]);

const mending = (errno: string | undefined) =>
  errno !== undefined && certificateTrouble.has(errno)
    ? "Point CODEX_CA_CERTIFICATE at a PEM file with the authority's root certificate."
    : "Check the base URL and the network. Run: agent-auth doctor";
