import { generateKeyPairSync, randomBytes, sign } from "node:crypto";

/** A private key and the certificate for it, both PEM. */
export interface Tls {
  readonly key: string;
  readonly cert: string;
}

/** One DER element (X.690 §8.1): tag, length, contents. */
const der = (tag: number, ...contents: ReadonlyArray<Uint8Array>): Buffer => {
  const body = Buffer.concat(contents);
  if (body.length < 128) return Buffer.concat([Buffer.from([tag, body.length]), body]);
  const hex = body.length.toString(16);
  const length = Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, "hex"); // the shortest form: rustls is strict
  return Buffer.concat([Buffer.from([tag, 0x80 | length.length]), length, body]);
};

const sequence = (...contents: ReadonlyArray<Uint8Array>) => der(0x30, ...contents);
const bitString = (bytes: Uint8Array) => der(0x03, Buffer.from([0]), bytes);
const octetString = (bytes: Uint8Array) => der(0x04, bytes);
const objectId = (hex: string) => der(0x06, Buffer.from(hex, "hex"));
const isTrue = der(0x01, Buffer.from([0xff]));

/** `YYMMDDhhmmssZ`: good until 2049 (RFC 5280 §4.1.2.5.1). */
const utcTime = (ms: number) => {
  const digits = new Date(ms).toISOString().slice(2, 19).replace(/\D/g, "");
  return der(0x17, Buffer.from(`${digits}Z`));
};

const ecdsaWithSha256 = sequence(objectId("2a8648ce3d040302"));
const name = sequence(
  der(0x31, sequence(objectId("550403"), der(0x0c, Buffer.from("agent-test-authority")))),
);
// Not a CA certificate: rustls, which Codex uses, rejects a server that presents one.
const basicConstraints = sequence(objectId("551d13"), isTrue, octetString(sequence()));
const subjectAltName = (hosts: ReadonlyArray<string>) =>
  sequence(
    objectId("551d11"),
    octetString(
      sequence(
        ...["localhost", ...hosts].map((host) => der(0x82, Buffer.from(host))),
        der(0x87, Buffer.from([127, 0, 0, 1])),
        der(0x87, Buffer.concat([Buffer.alloc(15), Buffer.from([1])])),
      ),
    ),
  );

const dayMs = 86_400_000;

const pem = (bytes: Buffer): string =>
  `-----BEGIN CERTIFICATE-----\n${bytes.toString("base64").replace(/(.{64})(?!$)/g, "$1\n")}\n-----END CERTIFICATE-----\n`;

/**
 * A new self-signed certificate for `localhost`, 127.0.0.1, ::1 and the given hosts (RFC 5280), valid for 30 days. No
 * client trusts it until a test configures that.
 */
export const makeSelfSigned = (nowMs: number, hosts: ReadonlyArray<string> = []): Tls => {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const serial = randomBytes(8);
  serial[0] = ((serial[0] ?? 0) & 0x3f) | 0x40;
  const certificate = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, serial),
    ecdsaWithSha256,
    name,
    sequence(utcTime(nowMs - dayMs), utcTime(nowMs + 30 * dayMs)),
    name,
    publicKey.export({ format: "der", type: "spki" }),
    der(0xa3, sequence(basicConstraints, subjectAltName(hosts))),
  );
  const signature = sign("sha256", certificate, privateKey);
  return {
    key: privateKey.export({ format: "pem", type: "pkcs8" }).toString(),
    cert: pem(sequence(certificate, ecdsaWithSha256, bitString(signature))),
  };
};
