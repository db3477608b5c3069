import { CertificateUntrusted } from "../errors/index.ts";
import type { Send } from "../fetch/undici-send.ts";

/** OpenSSL's names for a chain that ends in a root nobody here knows. */
const untrusted: ReadonlySet<string> = new Set([
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
]);

/** `send`, whose failures say how a certificate comes to be trusted. They stay fetch's: a `TypeError` with a `cause`. */
export const explainingCertificates =
  (send: Send): Send =>
  async (url, init) => {
    try {
      return await send(url, init);
    } catch (error) {
      throw explained(error, url);
    }
  };

const explained = (error: unknown, url: string): unknown => {
  const cause = error instanceof Error ? error.cause : undefined;
  if (!(cause instanceof Error) || !("code" in cause) || typeof cause.code !== "string")
    return error;
  if (!untrusted.has(cause.code)) return error;
  const { origin } = new URL(url);
  return new TypeError("fetch failed", {
    cause: new CertificateUntrusted({ origin, reason: cause.code }),
  });
};
