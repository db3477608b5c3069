import { createHash } from "node:crypto";
import * as Redacted from "effect/Redacted";

/** Returns the SHA-256 of a secret in hex, to compare two secrets without keeping either. */
export const fingerprint = (secret: Redacted.Redacted): string =>
  contentVersion(Redacted.value(secret));

/** Returns the SHA-256 of a store's content in hex, to compare two contents without keeping either. */
export const contentVersion = (content: string | Uint8Array): string =>
  createHash("sha256").update(content).digest("hex");
