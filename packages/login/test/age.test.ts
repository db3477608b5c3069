import { randomBytes } from "node:crypto";
import { describe, expect, it } from "vitest";
import { decryptWithPassphrase, encryptWithPassphrase } from "../src/gateway-oauth/age.ts";

// Files that the real Codex wrote, and Codex reading ours: packages/cli/test/real-codex-gateway.test.ts.

const passphrase = "0MxOs5Fb7szkMRih4Ix0FUVe8r7kKNbLlXgMZIW3Ebw=";

describe("an age file with one passphrase", () => {
  it.each([0, 1, 65_535, 65_536, 65_537, 131_072])("keeps %i bytes", async (length) => {
    const plain = randomBytes(length);
    const file = await encryptWithPassphrase(plain, passphrase);
    expect(Buffer.from(await decryptWithPassphrase(file, passphrase)).equals(plain)).toBe(true);
  });

  it.each<[string, string, (file: Buffer) => Uint8Array]>([
    ["another passphrase made it", "the key in the keyring does not decrypt it", (file) => file],
    ["it is cut off", "the key in the keyring does not decrypt it", (file) => file.subarray(0, -1)],
    [
      "a byte of it was changed",
      "the key in the keyring does not decrypt it",
      (file) => Buffer.concat([file.subarray(0, -1), Buffer.of((file.at(-1) ?? 0) ^ 1)]),
    ],
    [
      "its work factor would need more memory than this machine has",
      "its work factor is too large",
      (file) => Buffer.from(file.toString("latin1").replace(/ 10\n/, " 30\n"), "latin1"),
    ],
    [
      "its work factor was changed",
      "the key in the keyring does not decrypt it",
      (file) => Buffer.from(file.toString("latin1").replace(/ 10\n/, " 11\n"), "latin1"),
    ],
    [
      "its checksum was changed",
      "its header was changed",
      (file) => {
        const at = file.indexOf("\n--- ") + 5;
        return Buffer.concat([
          file.subarray(0, at),
          Buffer.from(file[at] === 65 ? "B" : "A"),
          file.subarray(at + 1),
        ]);
      },
    ],
    [
      "it is for several recipients",
      "it is not an age file with one passphrase",
      (file) => Buffer.from(file.toString("latin1").replace("\n---", "\n-> X25519 a\nb\n---")),
    ],
    ["it is not an age file", "it is not an age file with one passphrase", () => Buffer.from("{}")],
  ])("is refused if %s", async (what, message, change) => {
    const file = Buffer.from(await encryptWithPassphrase(Buffer.from("secret"), passphrase));
    const key = what.startsWith("another") ? "another" : passphrase;
    await expect(decryptWithPassphrase(change(file), key)).rejects.toThrow(message);
  });
});
