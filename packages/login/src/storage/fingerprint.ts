import { createHash } from "node:crypto";
import * as Redacted from "effect/Redacted";
import type { AuthDocument } from "./auth-json/index.ts";
import type { StoredDocument, StoreSource } from "./credential-store.ts";

/** Returns the SHA-256 of a secret in hex, to compare two secrets without keeping either. */
export const fingerprint = (secret: Redacted.Redacted): string =>
  contentVersion(Redacted.value(secret));

/** Returns the SHA-256 of a store's content in hex, to compare two contents without keeping either. */
export const contentVersion = (content: string | Uint8Array): string =>
  createHash("sha256").update(content).digest("hex");

/**
 * Returns a document whose version is the SHA-256 of its content. It is computed when it is read: most programs only
 * load a credential, and do not load Node's crypto module for it.
 */
export const withContentVersion = (
  document: AuthDocument,
  source: StoreSource,
  content: string | Uint8Array,
): StoredDocument => ({
  document,
  source,
  get version() {
    return contentVersion(content);
  },
});
