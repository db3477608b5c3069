// Each row of the attack table in docs/security.md names a test here.
import { constants, createHmac, createPrivateKey, sign } from "node:crypto";
import { describe, expect, it } from "@effect/vitest";
import * as Effect from "effect/Effect";
import * as TestClock from "effect/testing/TestClock";
import { SignJWT } from "jose";
import type { AgentKeyMalformed, JwksError, JwtVerificationError } from "../src/errors/index.ts";
import { JwksSource } from "../src/jwks/index.ts";
import { verifyAgentIdentityJwt } from "../src/jwt/index.ts";
import { goodClaims, makeSigningKey, mint, nowMs, signBytes } from "./mint.ts";

const key = makeSigningKey("key-1");
const attacker = makeSigningKey("attacker");

/** The error of a token, verified against a set that holds `key` only. */
const refusal = (
  jwt: string,
): Effect.Effect<JwtVerificationError | JwksError | AgentKeyMalformed, unknown> =>
  Effect.gen(function* () {
    yield* TestClock.setTime(nowMs);
    return yield* Effect.flip(verifyAgentIdentityJwt(jwt));
  }).pipe(Effect.provide(JwksSource.layerStatic({ keys: [key.jwk] })));

const encode = (value: unknown): string =>
  Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");
const rs256 = { alg: "RS256", kid: "key-1" };
const unsigned = (header: unknown, payload: unknown = goodClaims, signature = "AAAA") =>
  `${encode(header)}.${encode(payload)}.${signature}`;
const minted = Effect.promise(() => mint(key));
const codeOf = (jwt: string) => Effect.map(refusal(jwt), (error) => error.code);

describe("the algorithm none", () => {
  it.effect.each(["none", "None", "NONE", "nOnE", "", "rs256", "RS256 "])(
    "rejects the algorithm %j",
    (alg) =>
      Effect.gen(function* () {
        expect(yield* refusal(unsigned({ alg, kid: "key-1" }))).toMatchObject({
          reason: "algorithm",
        });
      }),
  );

  it.effect.each([undefined, null, 0, ["RS256"], { RS256: 1 }])("rejects the algorithm %j", (alg) =>
    Effect.gen(function* () {
      expect(yield* refusal(unsigned({ alg, kid: "key-1" }))).toMatchObject({
        reason: "algorithm",
      });
    }),
  );

  it.effect("rejects a token without its signature", () =>
    Effect.gen(function* () {
      const [header, payload] = (yield* minted).split(".");
      expect(yield* codeOf(`${header}.${payload}.`)).toBe("AGENT_IDENTITY_JWT_FORMAT_INVALID");
      expect(yield* codeOf(`${header}.${payload}`)).toBe("AGENT_IDENTITY_JWT_FORMAT_INVALID");
    }),
  );
});

describe("algorithm confusion", () => {
  it.effect.each([
    ["PEM", key.publicKey.export({ format: "pem", type: "spki" })],
    ["DER", key.publicKey.export({ format: "der", type: "spki" })],
    ["JWK", JSON.stringify(key.jwk)],
  ] as const)("rejects HS256 with the public key as secret, in %s", ([, secret]) =>
    Effect.gen(function* () {
      const input = `${encode({ alg: "HS256", kid: "key-1" })}.${encode(goodClaims)}`;
      const mac = createHmac("sha256", secret).update(input).digest("base64url");
      expect(yield* codeOf(`${input}.${mac}`)).toBe("AGENT_IDENTITY_JWT_ALGORITHM_NOT_ALLOWED");
      const lying = `${encode(rs256)}.${encode(goodClaims)}`;
      const lyingMac = createHmac("sha256", secret).update(lying).digest("base64url");
      expect(yield* codeOf(`${lying}.${lyingMac}`)).toBe("AGENT_IDENTITY_JWT_SIGNATURE_INVALID");
    }),
  );

  it.effect.each(["PS256", "RS384", "RS512"])("rejects %s by the right key", (alg) =>
    Effect.gen(function* () {
      const jwt = yield* Effect.promise(() =>
        new SignJWT(goodClaims).setProtectedHeader({ alg, kid: "key-1" }).sign(key.privateKey),
      );
      expect(yield* codeOf(jwt)).toBe("AGENT_IDENTITY_JWT_ALGORITHM_NOT_ALLOWED");
    }),
  );

  it.effect("rejects a PSS signature under an RS256 header", () =>
    Effect.gen(function* () {
      const input = `${encode(rs256)}.${encode(goodClaims)}`;
      const padding = constants.RSA_PKCS1_PSS_PADDING;
      const pss = sign("sha256", Buffer.from(input), {
        key: key.privateKey,
        padding,
        saltLength: 32,
      });
      expect(yield* codeOf(`${input}.${pss.toString("base64url")}`)).toBe(
        "AGENT_IDENTITY_JWT_SIGNATURE_INVALID",
      );
    }),
  );

  it.effect("rejects a SHA-1 or SHA-512 signature under an RS256 header", () =>
    Effect.gen(function* () {
      const input = `${encode(rs256)}.${encode(goodClaims)}`;
      for (const hash of ["sha1", "sha512"]) {
        const signature = sign(hash, Buffer.from(input), key.privateKey).toString("base64url");
        expect(yield* codeOf(`${input}.${signature}`)).toBe("AGENT_IDENTITY_JWT_SIGNATURE_INVALID");
      }
    }),
  );
});

describe("manipulated kid", () => {
  it.effect.each([
    "../../../../dev/null",
    "/dev/null",
    "key-1' OR '1'='1",
    "key-1\u0000",
    "https://evil.example/key",
    "__proto__",
    "constructor",
    "toString",
    "KEY-1",
    " key-1",
  ])("does not find the kid %j", (kid) =>
    Effect.gen(function* () {
      const jwt = yield* Effect.promise(() => mint(key, {}, { kid }));
      expect(yield* refusal(jwt)).toMatchObject({ code: "AGENT_IDENTITY_JWKS_KEY_NOT_FOUND", kid });
    }),
  );

  it.effect.each([1, null, ["key-1"], { kid: "key-1" }, true])("rejects the kid %j", (kid) =>
    Effect.gen(function* () {
      expect(yield* codeOf(unsigned({ alg: "RS256", kid }))).toBe(
        "AGENT_IDENTITY_JWT_HEADER_MALFORMED",
      );
    }),
  );

  it.effect.each([{ alg: "RS256" }, { alg: "RS256", kid: "" }])(
    "rejects the header %j without a kid",
    (header) =>
      Effect.gen(function* () {
        expect(yield* codeOf(unsigned(header))).toBe("AGENT_IDENTITY_JWT_KID_MISSING");
      }),
  );

  it.effect("shows the start of a long kid on one line", () =>
    Effect.gen(function* () {
      const long = yield* refusal(unsigned({ alg: "RS256", kid: "k".repeat(5000) }));
      expect(long.code).toBe("AGENT_IDENTITY_JWT_HEADER_MALFORMED");
      const odd = yield* refusal(
        unsigned({ alg: "RS256", kid: "\u001b[2J\nfake line\u202e" + "k".repeat(500) }),
      );
      expect(odd.message).toMatch(/^agent identity JWT kid \[2J fake line k+… is not trusted$/);
      expect(odd.message.length).toBeLessThan(200);
    }),
  );
});

describe("embedded keys", () => {
  const url = "https://evil.example/keys.json";
  it.effect.each([
    { jwk: attacker.jwk },
    { jku: url },
    { x5u: url },
    { x5c: ["MIIBszCCAVmgAwIBAgIU"] },
    { x5t: "AAAA" },
  ])("ignores the header parameter %j", (offer) =>
    Effect.gen(function* () {
      const withOwnKid = yield* Effect.promise(() => mint(attacker, {}, offer));
      expect(yield* codeOf(withOwnKid)).toBe("AGENT_IDENTITY_JWKS_KEY_NOT_FOUND");
      const withOurKid = yield* Effect.promise(() =>
        mint(attacker, {}, { ...offer, kid: "key-1" }),
      );
      expect(yield* codeOf(withOurKid)).toBe("AGENT_IDENTITY_JWT_SIGNATURE_INVALID");
    }),
  );
});

describe("crit", () => {
  it.effect.each([["exp"], ["b64"], ["x"], [], "exp", null, 1, {}])("rejects crit %j", (crit) =>
    Effect.gen(function* () {
      const error = yield* refusal(unsigned({ ...rs256, crit, b64: true, x: 1 }));
      expect(error).toMatchObject({
        code: "AGENT_IDENTITY_JWT_CRITICAL_HEADER_UNSUPPORTED",
        parameter: "crit",
      });
    }),
  );
});

describe("duplicate parts", () => {
  it.effect("rejects a header with a duplicate name", () =>
    Effect.gen(function* () {
      const header = '{"alg":"none","alg":"RS256","kid":"key-1"}';
      expect(yield* codeOf(unsigned(header))).toBe("AGENT_IDENTITY_JWT_HEADER_MALFORMED");
      const escaped = '{"alg":"RS256","kid":"evil","k\\u0069d":"key-1"}';
      expect(yield* codeOf(unsigned(escaped))).toBe("AGENT_IDENTITY_JWT_HEADER_MALFORMED");
    }),
  );

  it.effect("rejects a signed payload with a duplicate claim", () =>
    Effect.gen(function* () {
      const text = JSON.stringify(goodClaims);
      const twice = `${text.slice(0, -1)},"account_id":"account-999"}`;
      const jwt = yield* Effect.promise(() => signBytes(key, twice));
      expect(yield* refusal(jwt)).toMatchObject({ problem: "its payload has a duplicate name" });
    }),
  );

  it.effect("rejects a token with additional parts", () =>
    Effect.gen(function* () {
      const jwt = yield* minted;
      for (const odd of [
        `${jwt}.AAAA`,
        `AAAA.${jwt}`,
        `${jwt}.`,
        `.${jwt}`,
        jwt.replace(".", ".."),
      ])
        expect(yield* codeOf(odd)).toMatch(/FORMAT_INVALID|HEADER_MALFORMED/);
    }),
  );
});

describe("oversized parts", () => {
  it.effect("rejects a token longer than 32,768 characters", () =>
    Effect.gen(function* () {
      const jwt = yield* Effect.promise(() => mint(key, { filler: "x".repeat(40_000) }));
      expect(yield* refusal(jwt)).toMatchObject({ problem: "it is longer than 32768 characters" });
    }),
  );

  it.effect("rejects ten megabytes of dots or nesting quickly", () =>
    Effect.gen(function* () {
      const start = performance.now();
      expect(yield* codeOf(".".repeat(10_000_000))).toBe("AGENT_IDENTITY_JWT_FORMAT_INVALID");
      const nested = encode("[".repeat(12_000) + "]".repeat(12_000));
      expect(yield* codeOf(`${encode(rs256)}.${nested}.AAAA`)).toBe(
        "AGENT_IDENTITY_JWT_FORMAT_INVALID",
      );
      expect(performance.now() - start).toBeLessThan(1000);
    }),
  );
});

describe("trivial signatures", () => {
  const sizes = [1, 64, 256];
  it.effect.each(sizes)("rejects %i zero bytes as a signature", (size) =>
    Effect.gen(function* () {
      const zero = Buffer.alloc(size).toString("base64url");
      expect(yield* codeOf(unsigned(rs256, goodClaims, zero))).toBe(
        "AGENT_IDENTITY_JWT_SIGNATURE_INVALID",
      );
    }),
  );

  it.effect("rejects the modulus, one and plain padding as signatures", () =>
    Effect.gen(function* () {
      const one = Buffer.alloc(256);
      one[255] = 1;
      const padded = Buffer.concat([Buffer.from([0, 1]), Buffer.alloc(254, 0xff)]);
      const modulus = String(key.jwk["n"]);
      for (const signature of [modulus, one.toString("base64url"), padded.toString("base64url")])
        expect(yield* codeOf(unsigned(rs256, goodClaims, signature))).toBe(
          "AGENT_IDENTITY_JWT_SIGNATURE_INVALID",
        );
    }),
  );

  it.effect("rejects a valid signature with a byte more or less or with stray bits", () =>
    Effect.gen(function* () {
      const [header, payload, signature = ""] = (yield* minted).split(".");
      const bytes = Buffer.from(signature, "base64url");
      const longer = Buffer.concat([bytes, Buffer.alloc(1)]).toString("base64url");
      const shorter = bytes.subarray(0, 255).toString("base64url");
      const stray =
        signature.slice(0, -1) + (signature.endsWith("A") ? "B" : nextCharacter(signature));
      for (const odd of [longer, shorter, stray])
        expect(yield* codeOf(`${header}.${payload}.${odd}`)).toBe(
          "AGENT_IDENTITY_JWT_SIGNATURE_INVALID",
        );
    }),
  );
});

/** The last character with its lowest bit flipped: the same bytes for a lenient decoder. */
const nextCharacter = (text: string): string => {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  return alphabet[alphabet.indexOf(text.at(-1) ?? "") ^ 1] ?? "A";
};

describe("changed parts", () => {
  it.effect("rejects a change in an ignored header parameter", () =>
    Effect.gen(function* () {
      const [, payload, signature] = (yield* minted).split(".");
      const header = encode({ ...rs256, typ: "JWT", extra: 1 });
      expect(yield* codeOf(`${header}.${payload}.${signature}`)).toBe(
        "AGENT_IDENTITY_JWT_SIGNATURE_INVALID",
      );
    }),
  );

  it.effect("rejects a changed payload", () =>
    Effect.gen(function* () {
      const [header, , signature] = (yield* minted).split(".");
      const payload = encode({ ...goodClaims, account_id: "account-999" });
      expect(yield* codeOf(`${header}.${payload}.${signature}`)).toBe(
        "AGENT_IDENTITY_JWT_SIGNATURE_INVALID",
      );
    }),
  );

  it.effect("rejects a JWS in JSON serialization", () =>
    Effect.gen(function* () {
      const [header, payload, signature] = (yield* minted).split(".");
      const flattened = { protected: header, payload, signature, header: { kid: "attacker" } };
      expect(yield* codeOf(JSON.stringify(flattened))).toBe("AGENT_IDENTITY_JWT_FORMAT_INVALID");
      expect(yield* codeOf(JSON.stringify({ payload, signatures: [flattened] }))).toBe(
        "AGENT_IDENTITY_JWT_FORMAT_INVALID",
      );
    }),
  );

  it.effect("rejects padding, white space and standard base64", () =>
    Effect.gen(function* () {
      const jwt = yield* minted;
      const [header, payload, signature] = jwt.split(".");
      for (const odd of [
        ` ${jwt}`,
        `${jwt}\n`,
        `${header}=.${payload}.${signature}`,
        `${header}.${payload}==.${signature}`,
        `${header}.${payload}.${signature}==`,
        `${header}.\n${payload}.${signature}`,
        `${header}.${payload}.${signature}+/`,
      ])
        expect(yield* codeOf(odd)).toMatch(/FORMAT_INVALID|HEADER_MALFORMED/);
    }),
  );
});

describe("encrypted and nested tokens", () => {
  it.effect("rejects a JWE", () =>
    Effect.gen(function* () {
      const jwe = `${encode({ alg: "RSA-OAEP", enc: "A256GCM", kid: "key-1" })}.a.b.c.d`;
      expect(yield* codeOf(jwe)).toBe("AGENT_IDENTITY_JWT_FORMAT_INVALID");
    }),
  );

  it.effect("rejects a nested JWT", () =>
    Effect.gen(function* () {
      const inner = yield* minted;
      const jwt = yield* Effect.promise(() => signBytes(key, inner, { cty: "JWT" }));
      expect(yield* codeOf(jwt)).toBe("AGENT_IDENTITY_JWT_FORMAT_INVALID");
    }),
  );

  it.effect("rejects a payload that is not UTF-8", () =>
    Effect.gen(function* () {
      const bytes = Buffer.from(JSON.stringify(goodClaims).replace("pro", "pr\u00e9"), "latin1");
      const jwt = yield* Effect.promise(() => signBytes(key, bytes));
      expect(yield* refusal(jwt)).toMatchObject({ problem: "its payload is not UTF-8" });
    }),
  );
});

const withKey = (jwk: Record<string, unknown>, jwt: string) =>
  TestClock.setTime(nowMs).pipe(
    Effect.andThen(Effect.flip(verifyAgentIdentityJwt(jwt))),
    Effect.provide(JwksSource.layerStatic({ keys: [jwk] })),
  );

describe("weak keys in the JWKS", () => {
  it.effect("does not verify with an RSA key under 2048 bits", () =>
    Effect.gen(function* () {
      const weak = makeSigningKey("weak", 1024);
      const input = `${encode({ alg: "RS256", kid: "weak" })}.${encode(goodClaims)}`;
      const signature = sign("sha256", Buffer.from(input), weak.privateKey).toString("base64url");
      expect(yield* withKey(weak.jwk, `${input}.${signature}`)).toMatchObject({
        code: "AGENT_IDENTITY_JWKS_KEY_NOT_FOUND",
        problem: "its modulus of 1024 bits is shorter than 2048",
      });
    }),
  );

  it.effect("does not verify with an exponent of one", () =>
    Effect.gen(function* () {
      const forgeable = { ...key.jwk, e: "AQ" };
      expect(yield* withKey(forgeable, yield* minted)).toMatchObject({
        problem: "its exponent is unsafe",
      });
    }),
  );

  it.effect("does not verify with a key whose private half is published", () =>
    Effect.gen(function* () {
      const leaked = createPrivateKey(key.privateKey.export({ format: "pem", type: "pkcs8" }));
      const jwk = { ...leaked.export({ format: "jwk" }), kid: "key-1", alg: "RS256", use: "sig" };
      expect(yield* withKey(jwk, yield* minted)).toMatchObject({
        problem: "it contains its private key",
      });
    }),
  );
});
