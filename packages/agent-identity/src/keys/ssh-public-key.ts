import { decodeBase64 } from "../encoding/base64.ts";

const name = "ssh-ed25519";
/** RFC 4253 §6.6 with RFC 8709 §4: string "ssh-ed25519", string key. */
const blobPrefix = Buffer.concat([
  Buffer.from([0, 0, 0, name.length]),
  Buffer.from(name),
  Buffer.from([0, 0, 0, 32]),
]);

/** `ssh-ed25519 <base64>` of a 32-byte public key. */
export const formatSshPublicKey = (publicKey: Uint8Array): string =>
  `${name} ${Buffer.concat([blobPrefix, publicKey]).toString("base64")}`;

/** The 32 bytes of `ssh-ed25519 <base64>`, a comment after it ignored; null for anything else. */
export const parseSshPublicKey = (text: string): Uint8Array | null => {
  const [type, encoded] = text.trim().split(" ", 2);
  if (type !== name || encoded === undefined || encoded.length > 128) return null;
  const blob = decodeBase64(encoded);
  if (blob?.length !== blobPrefix.length + 32) return null;
  return blob.subarray(0, blobPrefix.length).equals(blobPrefix)
    ? blob.subarray(blobPrefix.length)
    : null;
};
