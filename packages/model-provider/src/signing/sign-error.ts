import { isModelProviderError, type ModelProviderError, type SignError } from "../errors/index.ts";

/** Codes of the errors that are about sending a request, and never the reason why it could not be signed. */
const unsigned = {
  PROVIDER_UNKNOWN: true,
  PROVIDER_INVALID_BASE_URL: true,
  PROVIDER_ENV_KEY_MISSING: true,
  PROVIDER_REQUEST_ORIGIN_NOT_ALLOWED: true,
  PROVIDER_METHOD_REFUSED: true,
  PROVIDER_ACCOUNT_CHANGED: true,
  PROVIDER_REDIRECT_REFUSED: true,
  PROVIDER_CERTIFICATE_UNTRUSTED: true,
  PROVIDER_WEBSOCKET_REFUSED: true,
} satisfies Record<Exclude<ModelProviderError, SignError>["code"], true>;

/** Whether something thrown is an error that signing may fail with. */
export const isSignError = (error: unknown): error is SignError =>
  isModelProviderError(error) && !(error.code in unsigned);
