import { createHash } from "node:crypto";
import * as Redacted from "effect/Redacted";

/** Tells two secrets apart without keeping either: SHA-256, hex. */
export const fingerprint = (secret: Redacted.Redacted): string =>
  createHash("sha256").update(Redacted.value(secret)).digest("hex");
