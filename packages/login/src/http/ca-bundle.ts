import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { createSecureContext, getCACertificates, type SecureContext } from "node:tls";
import * as Effect from "effect/Effect";
import { describeSystemError } from "../storage/fs/system-error.ts";
import type { CaBundle } from "../config/environment.ts";
import { CaBundleUnusable } from "../errors/http.ts";

/**
 * What TLS trusts with a bundle of extra roots: Node's own roots, and those. Fails where the file cannot be read, holds
 * no certificate, or holds one that is broken; text between certificates is ignored, as OpenSSL does (RFC 7468 §2).
 */
export const secureContextWith = (
  bundle: CaBundle,
): Effect.Effect<SecureContext, CaBundleUnusable> =>
  Effect.suspend(() => {
    let text: string;
    try {
      text = readFileSync(bundle.path, "latin1");
    } catch (error) {
      return refuse(bundle, describeSystemError(error).reason);
    }
    const blocks = text.match(pemCertificate) ?? [];
    if (text.trim() === "") return refuse(bundle, "it is empty");
    if (blocks.length === 0) return refuse(bundle, "it holds no PEM certificate");
    const extra: Array<string> = [];
    for (const [index, block] of blocks.entries()) {
      const certificate = readCertificate(block);
      if (certificate === undefined) return refuse(bundle, `certificate ${index + 1} is broken`);
      extra.push(certificate);
    }
    return Effect.succeed(createSecureContext({ ca: [...getCACertificates("default"), ...extra] }));
  });

const refuse = (bundle: CaBundle, reason: string): Effect.Effect<never, CaBundleUnusable> =>
  Effect.fail(new CaBundleUnusable({ ...bundle, reason }));

const pemCertificate =
  /-----BEGIN (TRUSTED )?CERTIFICATE-----[A-Za-z0-9+/=\s]*-----END (?:TRUSTED )?CERTIFICATE-----/g;

const readCertificate = (block: string): string | undefined => {
  try {
    // OpenSSL's own "TRUSTED" form has its notes after the certificate; only the certificate is wanted.
    const body = block.replaceAll(/-----[^-]*-----|\s/g, "");
    const der = firstElement(Buffer.from(body, "base64"));
    return new X509Certificate(der).toString();
  } catch {
    return undefined;
  }
};

/** The first DER element of some bytes (X.690 §8.1.3). */
const firstElement = (bytes: Buffer): Buffer => {
  const short = bytes.readUInt8(1);
  if (short < 0x80) return bytes.subarray(0, 2 + short);
  const size = short & 0x7f;
  return bytes.subarray(0, 2 + size + bytes.readUIntBE(2, size));
};
