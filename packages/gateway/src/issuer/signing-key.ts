import { createHash, createPublicKey, type KeyObject, sign, verify } from "node:crypto";
import { spawn } from "node:child_process";
import { promisify } from "node:util";
import * as Effect from "effect/Effect";
import { SigningCommandFailed, SigningKeyInvalid } from "../errors/index.ts";

/** A public RSA key as a JWK (RFC 7517), marked for RS256 signatures. */
export interface PublicJwk {
  readonly kty: "RSA";
  readonly n: string;
  readonly e: string;
  readonly kid: string;
  readonly alg: "RS256";
  readonly use: "sig";
}

/** A key that signs for an issuer. The private key may be elsewhere, such as in a KMS. */
export interface SigningKey {
  readonly kid: string;
  readonly publicKey: KeyObject;
  /** From when it signs, milliseconds since the epoch. It is published before. */
  readonly activeFromMs: number;
  /** RS256 (RFC 7518 §3.3) of the bytes. */
  readonly sign: (input: Uint8Array) => Effect.Effect<Uint8Array, SigningCommandFailed>;
}

const minModulusBits = 2048;

const rsaMembers = (publicKey: KeyObject, source: string) => {
  const { asymmetricKeyType, asymmetricKeyDetails } = publicKey;
  const bits = asymmetricKeyDetails?.modulusLength ?? 0;
  const { n, e } = asymmetricKeyType === "rsa" ? publicKey.export({ format: "jwk" }) : {};
  if (n === undefined || e === undefined)
    throw new SigningKeyInvalid({ source, problem: "it is not an RSA key" });
  if (bits < minModulusBits) {
    const problem = `its modulus of ${bits} bits is shorter than ${minModulusBits}`;
    throw new SigningKeyInvalid({ source, problem });
  }
  return { n, e };
};

/** The thumbprint of an RSA key (RFC 7638): the default `kid`. */
const thumbprint = ({ n, e }: { readonly n: string; readonly e: string }): string =>
  createHash("sha256")
    .update(JSON.stringify({ e, kty: "RSA", n }))
    .digest("base64url");

/**
 * Returns the public JWK of a signing key. Throws `SigningKeyInvalid` unless it is an RSA key of at least 2048 bits.
 *
 * @example
 * ```ts
 * import { generateKeyPairSync } from "node:crypto";
 * import { publicJwk, signingKeyOf } from "@agent-auth/gateway/issuer";
 *
 * const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
 * publicJwk(signingKeyOf(privateKey, { kid: "key-1" })).kid; // "key-1"
 * ```
 */
export const publicJwk = ({
  kid,
  publicKey,
}: Pick<SigningKey, "kid" | "publicKey">): PublicJwk => ({
  kty: "RSA",
  ...rsaMembers(publicKey, kid),
  kid,
  alg: "RS256",
  use: "sig",
});

const signInThread = promisify(sign);

/**
 * Returns a signing key of a private key in memory. The default `kid` is its thumbprint (RFC 7638), and the default
 * `activeFromMs` is 0. Throws `SigningKeyInvalid` unless it is an RSA key of at least 2048 bits.
 *
 * @example
 * ```ts
 * import { generateKeyPairSync } from "node:crypto";
 * import { signingKeyOf } from "@agent-auth/gateway/issuer";
 *
 * const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
 * signingKeyOf(privateKey).kid.length; // 43
 * ```
 */
export const signingKeyOf = (
  privateKey: KeyObject,
  options: { readonly kid?: string; readonly activeFromMs?: number; readonly source?: string } = {},
): SigningKey => {
  const publicKey = createPublicKey(privateKey);
  const members = rsaMembers(publicKey, options.source ?? options.kid ?? "in memory");
  return {
    kid: options.kid ?? thumbprint(members),
    publicKey,
    activeFromMs: options.activeFromMs ?? 0,
    sign: (input) => Effect.promise(() => signInThread("sha256", input, privateKey)),
  };
};

/** A program that signs, such as the client of a KMS. */
export interface SigningCommandOptions {
  /** The public key, PEM. */
  readonly publicKey: string;
  /** Started without a shell. Reads what to sign from stdin, and prints the base64 of the RS256 signature. */
  readonly command: string;
  readonly args?: ReadonlyArray<string>;
  /** Default 5000. */
  readonly timeoutMs?: number;
  /** Default: the thumbprint. */
  readonly kid?: string;
  readonly activeFromMs?: number;
}

/** An RSA signature of 16,384 bits is 2732 characters of base64. */
const maxOutput = 4096;

const runCommand = (options: SigningCommandOptions, input: Uint8Array): Promise<string> =>
  new Promise((resolve, fail) => {
    const { command, args = [], timeoutMs = 5000 } = options;
    const child = spawn(command, [...args], { stdio: ["pipe", "pipe", "ignore"] });
    let output = "";
    const timer = setTimeout(() => {
      child.kill("SIGKILL");
      fail(new Error(`it took longer than ${timeoutMs} ms`));
    }, timeoutMs);
    child.stdout.setEncoding("latin1").on("data", (piece: string) => {
      output += piece;
      if (output.length > maxOutput) child.kill("SIGKILL");
    });
    child.stdin.on("error", () => undefined); // the command may exit before it has read all of its input
    child.once("error", (error: NodeJS.ErrnoException) => {
      clearTimeout(timer);
      fail(new Error(`it could not be started (${error.code ?? "unknown"})`));
    });
    child.once("close", (status, signal) => {
      clearTimeout(timer);
      if (status === 0) resolve(output);
      else fail(new Error(`it ended with ${signal ?? `status ${status}`}`));
    });
    child.stdin.end(input);
  });

/**
 * Returns a signing key whose private key only a command can use, such as the client of a KMS. Every signature is verified
 * with the public key before it is used, so that a command for another key fails here and not at every client. Throws
 * `SigningKeyInvalid`; `sign` fails with `SigningCommandFailed`.
 *
 * @example
 * ```ts
 * import { generateKeyPairSync } from "node:crypto";
 * import { signingKeyOfCommand } from "@agent-auth/gateway/issuer";
 *
 * const { publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
 * const key = signingKeyOfCommand({
 *   publicKey: publicKey.export({ format: "pem", type: "spki" }).toString(),
 *   command: "kms-sign",
 *   args: ["--key", "agent-identity"],
 * });
 * ```
 */
export const signingKeyOfCommand = (options: SigningCommandOptions): SigningKey => {
  const { command } = options;
  let publicKey: KeyObject;
  try {
    publicKey = createPublicKey(options.publicKey);
  } catch {
    throw new SigningKeyInvalid({ source: command, problem: "its public key is not PEM" });
  }
  const members = rsaMembers(publicKey, command);
  return {
    kid: options.kid ?? thumbprint(members),
    publicKey,
    activeFromMs: options.activeFromMs ?? 0,
    sign: Effect.fnUntraced(function* (input: Uint8Array) {
      const output = yield* Effect.tryPromise({
        try: () => runCommand(options, input),
        catch: (error) =>
          new SigningCommandFailed({
            command,
            problem: error instanceof Error ? error.message : "unknown",
          }),
      });
      const signature = Buffer.from(output.replaceAll(/\s/g, ""), "base64");
      if (!verify("sha256", input, publicKey, signature)) {
        const problem = "its output is not the base64 of a signature of this key";
        return yield* new SigningCommandFailed({ command, problem });
      }
      return signature;
    }),
  };
};
