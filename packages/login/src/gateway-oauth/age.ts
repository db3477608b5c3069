import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  hkdfSync,
  randomBytes,
  scrypt,
} from "node:crypto";
import { promisify } from "node:util";

// The part of the age format (https://age-encryption.org/v1) that Codex's files of secrets use: one scrypt recipient.

const version = "age-encryption.org/v1";
const scryptLabel = `${version}/scrypt`;
const chunkBytes = 65_536;
const tagBytes = 16;

/**
 * The work factor of our files. The passphrase is 32 random bytes, so a higher one makes it no harder to guess; a factor of
 * 18, which Codex chooses, takes seconds.
 */
const ownLogN = 10;
/** The highest work factor that is accepted: 1 GiB of memory. */
const maxLogN = 20;

/** Why a file cannot be decrypted. */
export class AgeFileInvalid extends Error {}

/** Encrypts bytes with a passphrase of high entropy. */
export const encryptWithPassphrase = async (
  plain: Uint8Array,
  passphrase: string,
): Promise<Uint8Array> => {
  const fileKey = randomBytes(16);
  const salt = randomBytes(16);
  const wrapped = seal(await wrapKey(passphrase, salt, ownLogN), nonceOf(0, false), fileKey);
  const header = `${version}\n-> scrypt ${unpadded(salt)} ${ownLogN}\n${unpadded(wrapped)}\n---`;
  const nonce = randomBytes(16);
  const key = derive(fileKey, "payload", nonce);
  const chunks = Array.from(
    { length: Math.max(1, Math.ceil(plain.length / chunkBytes)) },
    (_, i) => {
      const start = i * chunkBytes;
      const isLast = start + chunkBytes >= plain.length;
      return seal(key, nonceOf(i, isLast), plain.subarray(start, start + chunkBytes));
    },
  );
  const mac = unpadded(macOf(fileKey, header));
  return Buffer.concat([Buffer.from(`${header} ${mac}\n`), nonce, ...chunks]);
};

const headerPattern =
  /^age-encryption\.org\/v1\n-> scrypt ([A-Za-z0-9+/]{22}) (\d{1,2})\n([A-Za-z0-9+/]{43})\n--- ([A-Za-z0-9+/]{43})\n/;

/** Decrypts what `encryptWithPassphrase` or Codex wrote. Throws `AgeFileInvalid` if the file or the passphrase is wrong. */
export const decryptWithPassphrase = async (
  file: Uint8Array,
  passphrase: string,
): Promise<Uint8Array> => {
  const bytes = Buffer.from(file);
  const [all, salt, factor, wrapped, mac] =
    headerPattern.exec(bytes.subarray(0, 256).toString("latin1")) ?? [];
  if (all === undefined || mac === undefined)
    throw new AgeFileInvalid("it is not an age file with one passphrase");
  const logN = Number(factor);
  if (logN < 1 || logN > maxLogN) throw new AgeFileInvalid("its work factor is too large");
  const key = await wrapKey(passphrase, decode(salt), logN);
  const fileKey = open(key, nonceOf(0, false), decode(wrapped));
  if (!macOf(fileKey, all.slice(0, all.lastIndexOf(" "))).equals(decode(mac)))
    throw new AgeFileInvalid("its header was changed");
  const payload = bytes.subarray(all.length);
  return decryptPayload(fileKey, payload.subarray(0, 16), payload.subarray(16));
};

const decryptPayload = (fileKey: Buffer, nonce: Buffer, sealed: Buffer): Buffer => {
  const key = derive(fileKey, "payload", nonce);
  const step = chunkBytes + tagBytes;
  const count = Math.max(1, Math.ceil(sealed.length / step));
  return Buffer.concat(
    Array.from({ length: count }, (_, i) =>
      open(key, nonceOf(i, i === count - 1), sealed.subarray(i * step, (i + 1) * step)),
    ),
  );
};

const scryptAsync = promisify<string, Buffer, number, object, Buffer>(scrypt);

const wrapKey = (passphrase: string, salt: Buffer, logN: number): Promise<Buffer> =>
  scryptAsync(passphrase, Buffer.concat([Buffer.from(scryptLabel), salt]), 32, {
    N: 2 ** logN,
    r: 8,
    p: 1,
    maxmem: 2 ** (logN + 10) + 2 ** 20,
  });

const derive = (fileKey: Buffer, info: string, salt: Uint8Array): Buffer =>
  Buffer.from(hkdfSync("sha256", fileKey, salt, info, 32));

const macOf = (fileKey: Buffer, header: string): Buffer =>
  createHmac("sha256", derive(fileKey, "header", Buffer.alloc(0)))
    .update(header)
    .digest();

/** The number of a chunk in 11 bytes, and whether it is the last one. */
const nonceOf = (chunk: number, isLast: boolean): Buffer => {
  const nonce = Buffer.alloc(12);
  nonce.writeUIntBE(chunk, 5, 6);
  nonce[11] = isLast ? 1 : 0;
  return nonce;
};

const cipher = "chacha20-poly1305";

const seal = (key: Buffer, nonce: Buffer, plain: Uint8Array): Buffer => {
  const sealing = createCipheriv(cipher, key, nonce, { authTagLength: tagBytes });
  return Buffer.concat([sealing.update(plain), sealing.final(), sealing.getAuthTag()]);
};

const open = (key: Buffer, nonce: Buffer, sealed: Buffer): Buffer => {
  const opening = createDecipheriv(cipher, key, nonce, { authTagLength: tagBytes });
  try {
    opening.setAuthTag(sealed.subarray(-tagBytes));
    return Buffer.concat([opening.update(sealed.subarray(0, -tagBytes)), opening.final()]);
  } catch {
    throw new AgeFileInvalid("the key in the keyring does not decrypt it");
  }
};

const decode = (base64: string | undefined): Buffer => Buffer.from(base64 ?? "", "base64");

const unpadded = (bytes: Uint8Array): string =>
  Buffer.from(bytes).toString("base64").replace(/=+$/, "");
