/** The seed of a PKCS#8 structure and, if it contains one, its public key, which may belong to another seed. */
export interface Ed25519Pkcs8 {
  readonly seed: Uint8Array;
  readonly publicKey?: Uint8Array;
}

const tag = { sequence: 0x30, integer: 0x02, octets: 0x04, attributes: 0xa0 } as const;
/** `[1]` of RFC 5958: implicit as in the RFC, and explicit as older software writes it. */
const publicKeyTag = { implicit: 0x81, explicit: 0xa1, bitString: 0x03 } as const;
/** AlgorithmIdentifier of Ed25519 without parameters (RFC 8410 §3). */
const ed25519 = Buffer.from("06032b6570", "hex");

interface Element {
  readonly tag: number;
  readonly body: Buffer;
}

/** The elements of a DER sequence, or null. Short length form only: an Ed25519 key needs no other. */
const elements = (bytes: Buffer): ReadonlyArray<Element> | null => {
  const found: Array<Element> = [];
  let at = 0;
  while (at < bytes.length) {
    const elementTag = bytes[at];
    const length = bytes[at + 1];
    if (elementTag === undefined || length === undefined || length > 0x7f) return null;
    const end = at + 2 + length;
    if (end > bytes.length) return null;
    found.push({ tag: elementTag, body: bytes.subarray(at + 2, end) });
    at = end;
  }
  return found;
};

const only = (bytes: Buffer, wanted: number): Buffer | null => {
  const found = elements(bytes);
  const first = found?.[0];
  return found?.length === 1 && first?.tag === wanted ? first.body : null;
};

const parsePublicKey = (element: Element): Uint8Array | null => {
  const bits =
    element.tag === publicKeyTag.explicit
      ? only(element.body, publicKeyTag.bitString)
      : element.body;
  return bits !== null && bits.length === 33 && bits[0] === 0 ? bits.subarray(1) : null;
};

const isPublicKey = (element: Element): boolean =>
  element.tag === publicKeyTag.implicit || element.tag === publicKeyTag.explicit;

/** What precedes the 32 bytes of a version 1 structure. */
const prefix = {
  ed25519: Buffer.from("302e020100300506032b657004220420", "hex"),
  x25519: Buffer.from("302e020100300506032b656e04220420", "hex"),
};

/**
 * Parses the Ed25519 seed of PKCS#8 DER, version 1 (RFC 5208) or version 2 (RFC 5958, with the public key), which
 * OpenSSL's parser rejects. `structure`: not PKCS#8 DER. `algorithm`: a key of another algorithm.
 */
export const parseEd25519Pkcs8 = (der: Buffer): Ed25519Pkcs8 | "structure" | "algorithm" => {
  if (der.length === 48 && der.subarray(0, 16).equals(prefix.ed25519))
    return { seed: der.subarray(16) };
  // Keys of other algorithms may be longer than the short form allows.
  if (der[0] === tag.sequence && (der[1] ?? 0) > 0x80 && der.length > 128) return "algorithm";
  const outer = only(der, tag.sequence);
  const [version, algorithm, key, ...rest] = (outer && elements(outer)) ?? [];
  if (version?.tag !== tag.integer || version.body.length !== 1) return "structure";
  if (algorithm?.tag !== tag.sequence || key?.tag !== tag.octets) return "structure";
  if (!algorithm.body.equals(ed25519)) return "algorithm";
  const seed = only(key.body, tag.octets);
  const isVersion2 = version.body[0] === 1;
  if (seed?.length !== 32 || (version.body[0] !== 0 && !isVersion2)) return "structure";
  const extras = rest.filter((element) => element.tag !== tag.attributes);
  const [publicKeyElement] = extras;
  if (publicKeyElement === undefined) return { seed };
  if (!isVersion2 || extras.length > 1 || !isPublicKey(publicKeyElement)) return "structure";
  const publicKey = parsePublicKey(publicKeyElement);
  return publicKey === null ? "structure" : { seed, publicKey };
};

/** PKCS#8 DER, version 1, of a 32-byte Ed25519 seed or X25519 secret: the version that all software accepts. */
export const writePkcs8 = (curve: keyof typeof prefix, secret: Uint8Array): Buffer =>
  Buffer.concat([prefix[curve], secret]);

const spkiPrefix = {
  ed25519: Buffer.from("302a300506032b6570032100", "hex"),
  x25519: Buffer.from("302a300506032b656e032100", "hex"),
};

/** SubjectPublicKeyInfo DER of a 32-byte public key (RFC 8410 §4). */
export const writeSpki = (curve: keyof typeof spkiPrefix, publicKey: Uint8Array): Buffer =>
  Buffer.concat([spkiPrefix[curve], publicKey]);

/** The 32-byte public key at the end of an SPKI of either curve. */
export const rawOfSpki = (spki: Buffer): Buffer => spki.subarray(spkiPrefix.ed25519.length);
