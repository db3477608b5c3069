import { X509Certificate } from "node:crypto";
// A namespace import: a named import that an older Node lacks would fail before the version of Node is checked.
import * as tls from "node:tls";
import * as Effect from "effect/Effect";
import type { CaBundle } from "../config/environment.ts";
import { CaBundleUnusable } from "../errors/http.ts";
import { StoreUnreadable } from "../errors/store.ts";
import { readSmallFile } from "../storage/fs/read.ts";

/** The root certificates of all browsers together take a quarter of a MiB. */
const maxBytes = 16 * 1024 * 1024;

/**
 * Returns a TLS context that trusts Node's default root certificates and those of a bundle. Text between certificates is
 * ignored, as OpenSSL does (RFC 7468 §2). Fails with `CaBundleUnusable` if the bundle is not a regular file of at most
 * 16 MiB, cannot be read, holds no certificate, or holds a broken one.
 */
export const loadSecureContext = (
  bundle: CaBundle,
): Effect.Effect<tls.SecureContext, CaBundleUnusable> =>
  Effect.suspend(() => {
    let text: string;
    try {
      const bytes = readSmallFile(bundle.path, maxBytes);
      if (bytes === undefined) return unusable(bundle, "there is no such file");
      text = Buffer.from(bytes).toString("latin1");
    } catch (error) {
      return unusable(
        bundle,
        error instanceof StoreUnreadable ? error.reason : "it cannot be read",
      );
    }
    if (text.trim() === "") return unusable(bundle, "it is empty");
    const blocks = text.match(pemCertificate) ?? [];
    if (blocks.length === 0) return unusable(bundle, "it holds no PEM certificate");
    const extra: Array<string> = [];
    for (const [index, block] of blocks.entries()) {
      const certificate = parseCertificate(block);
      if (certificate === undefined) return unusable(bundle, `certificate ${index + 1} is broken`);
      extra.push(certificate);
    }
    return Effect.succeed(
      tls.createSecureContext({ ca: [...tls.getCACertificates("default"), ...extra] }),
    );
  });

const unusable = (bundle: CaBundle, reason: string): Effect.Effect<never, CaBundleUnusable> =>
  Effect.fail(new CaBundleUnusable({ ...bundle, reason }));

const pemCertificate =
  /-----BEGIN (TRUSTED )?CERTIFICATE-----[A-Za-z0-9+/=\s]*-----END (?:TRUSTED )?CERTIFICATE-----/g;

const parseCertificate = (block: string): string | undefined => {
  try {
    // OpenSSL's "TRUSTED" form has trust settings after the certificate; only the certificate is used.
    const body = block.replaceAll(/-----[^-]*-----|\s/g, "");
    const der = firstElement(Buffer.from(body, "base64"));
    return new X509Certificate(der).toString();
  } catch {
    return undefined;
  }
};

/** Returns the first DER element of some bytes (X.690 §8.1.3). */
const firstElement = (bytes: Buffer): Buffer => {
  const short = bytes.readUInt8(1);
  if (short < 0x80) return bytes.subarray(0, 2 + short);
  const size = short & 0x7f;
  return bytes.subarray(0, 2 + size + bytes.readUIntBE(2, size));
};
