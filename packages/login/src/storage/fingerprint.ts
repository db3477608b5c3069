import { createHash } from "node:crypto";
import * as Redacted from "effect/Redacted";

/** Tells two secrets apart without keeping either: SHA-256, hex. */
export const fingerprint = (secret: Redacted.Redacted): string =>
  contentVersion(Redacted.value(secret));

/** Tells two contents of a store apart without keeping either: SHA-256, hex. */
export const contentVersion = (content: string | Uint8Array): string =>
  createHash("sha256").update(content).digest("hex");
