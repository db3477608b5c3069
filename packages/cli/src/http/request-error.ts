import { isUntrustedCertificateCode } from "@agent-auth/agent-identity/http";
import { isModelProviderError, type ModelProviderError } from "@agent-auth/model-provider/errors";
import { CliError } from "../errors/cli-error.ts";

/**
 * Returns the error to report for a request that was rejected with `error`. Errors of our packages are returned
 * unchanged. Of a network failure, only the system's error code is kept, because messages of other libraries may quote
 * a URL with a secret.
 */
export const toRequestError = (error: unknown): ModelProviderError | CliError => {
  if (isModelProviderError(error)) return error;
  const errno = errnoOf(error);
  return new CliError({
    code: "CLI_REQUEST_FAILED",
    message: `the request got no response${errno === undefined ? "" : ` (${errno})`}`,
    hint: isUntrustedCertificateCode(errno)
      ? "Point CODEX_CA_CERTIFICATE at a PEM file with the authority's root certificate."
      : "Check the base URL and the network. Run: agent-auth doctor",
  });
};

/** The system's error code. undici wraps the system's error, sometimes twice. */
export const errnoOf = (error: unknown): string | undefined => {
  for (let at = error, depth = 0; at instanceof Error && depth < 5; depth += 1) {
    if ("code" in at && typeof at.code === "string") return at.code;
    at = at.cause instanceof AggregateError ? at.cause.errors[0] : at.cause;
  }
  return undefined;
};
