import { describe, expect, it } from "@effect/vitest";
import * as Effect from "effect/Effect";
import { JwksSource, parseJwks } from "../src/jwks/index.ts";
import { makeSigningKey } from "./mint.ts";

const key = makeSigningKey("key-1");
const { jwk } = key;
const plain = { kty: jwk["kty"], n: jwk["n"], e: jwk["e"] };
const usable = (keys: ReadonlyArray<unknown>) =>
  Effect.map(parseJwks({ keys }), (set) => set.document.keys.map(({ kid }) => kid));

describe("parseJwks", () => {
  it.effect.each([null, undefined, [], "{}", 1, {}, { keys: {} }, { keys: "x" }, { keys: null }])(
    "rejects %j as a JWKS",
    (value) =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(parseJwks(value, "https://own.example/jwks"));
        expect(error).toMatchObject({
          code: "AGENT_IDENTITY_JWKS_MALFORMED",
          url: "https://own.example/jwks",
        });
      }),
  );

  it.effect("ignores members that are not keys or are for other readers", () =>
    Effect.gen(function* () {
      const others = [
        null,
        7,
        "key",
        [],
        {},
        plain,
        { ...plain, kid: "" },
        { ...plain, kid: 7 },
        { ...jwk, kid: "encryption", use: "enc" },
        { ...jwk, kid: "pss", alg: "PS256" },
        { ...jwk, kid: "signer", key_ops: ["sign"] },
        { ...jwk, kid: "no-ops", key_ops: [] },
        { kty: "EC", crv: "P-256", x: "AAAA", y: "AAAA", kid: "ec" },
        { kty: "oct", k: "AAAA", kid: "secret" },
        { kty: "OKP", crv: "Ed25519", x: "AAAA", kid: "ed" },
        { kty: "FUTURE", kid: "future" },
        { ...plain, kid: "no-n", n: undefined },
        { ...plain, kid: "bad-n", n: "***" },
        { ...plain, kid: "even-e", e: "AAAC" },
      ];
      expect(yield* usable([...others, jwk])).toEqual(["key-1"]);
    }),
  );

  it.effect.each(["{}", '{"kid":"a"}', '{"kid":"a","kty":"RSA","n":"AAAA","e":"AQAB"}'])(
    "parses a megabyte of %s quickly",
    (member) =>
      Effect.gen(function* () {
        const count = Math.floor(1_048_000 / (member.length + 1));
        const text = `[${Array.from({ length: count }, () => member).join(",")}]`;
        let [parsingMs, judgingMs] = [Infinity, Infinity];
        for (let nth = 0; nth < 3; nth += 1) {
          const start = performance.now();
          const keys: ReadonlyArray<unknown> = JSON.parse(text);
          const parsed = performance.now();
          expect(yield* usable([...keys, jwk])).toEqual(["key-1"]);
          parsingMs = Math.min(parsingMs, parsed - start);
          judgingMs = Math.min(judgingMs, performance.now() - parsed);
        }
        expect({ parsingMs, judgingMs }).toSatisfy(() => judgingMs < 20 * parsingMs);
      }),
  );

  it.effect.each([{}, { use: "sig" }, { alg: "RS256" }, { key_ops: ["verify"] }])(
    "accepts a key with %j",
    (marks) =>
      Effect.gen(function* () {
        expect(yield* usable([{ ...plain, kid: "k", ...marks }])).toEqual(["k"]);
      }),
  );

  it.effect("says why a key of the set is not trusted", () =>
    Effect.gen(function* () {
      const set = yield* parseJwks({ keys: [{ ...jwk, use: "enc" }] });
      const error = yield* Effect.flip(set.key("key-1"));
      expect(error.message).toBe(
        "agent identity JWT kid key-1 is not trusted: it is marked for another use",
      );
    }),
  );

  it.effect.each<[number, number, string]>([
    [256, 0x7f, "its modulus of 2047 bits is shorter than 2048"],
    [1025, 0x01, "its modulus of 8193 bits is longer than 8192"],
  ])("rejects a modulus of %i bytes that begins with %i", ([bytes, first, problem]) =>
    Effect.gen(function* () {
      const n = Buffer.alloc(bytes, 0xff).fill(first, 0, 1).toString("base64url");
      const set = yield* parseJwks({ keys: [{ ...jwk, n }] });
      expect(yield* Effect.flip(set.key("key-1"))).toMatchObject({ problem });
    }),
  );

  it.effect("uses the RS256 key if a key for another reader has the same kid", () =>
    Effect.gen(function* () {
      const ec = { kty: "EC", crv: "P-256", x: "AAAA", y: "AAAA", kid: "key-1" };
      expect(yield* usable([ec, jwk])).toEqual(["key-1"]);
      expect(yield* usable([jwk, ec])).toEqual(["key-1"]);
      expect(yield* usable([jwk, jwk])).toEqual(["key-1"]);
    }),
  );

  it.effect("trusts neither of two keys with the same kid", () =>
    Effect.gen(function* () {
      const set = yield* parseJwks({ keys: [jwk, makeSigningKey("key-1").jwk, jwk] });
      expect(set.document.keys).toEqual([]);
      expect(yield* Effect.flip(set.key("key-1"))).toMatchObject({
        problem: "the set has two keys with this kid",
      });
    }),
  );

  it.effect("imports a key once", () =>
    Effect.gen(function* () {
      const set = yield* parseJwks({ keys: [jwk] });
      const [one, two] = yield* Effect.all([set.key("key-1"), set.key("key-1")], {
        concurrency: 2,
      });
      expect(one).toBe(two);
      expect(yield* set.key("key-1")).toBe(one);
    }),
  );
});

describe("JwksSource.makeMemory", () => {
  it.effect("uses the set given last and keeps it if the next is malformed", () =>
    Effect.gen(function* () {
      const memory = JwksSource.makeMemory();
      yield* Effect.gen(function* () {
        const source = yield* JwksSource;
        expect((yield* Effect.flip(source.key("key-1"))).code).toBe(
          "AGENT_IDENTITY_JWKS_KEY_NOT_FOUND",
        );
        yield* memory.replace({ keys: [jwk] });
        expect((yield* source.key("key-1")).kid).toBe("key-1");
        expect((yield* Effect.flip(memory.replace({}))).code).toBe("AGENT_IDENTITY_JWKS_MALFORMED");
        expect((yield* source.key("key-1")).kid).toBe("key-1");
        yield* memory.replace({ keys: [] });
        expect((yield* Effect.flip(source.key("key-1"))).code).toBe(
          "AGENT_IDENTITY_JWKS_KEY_NOT_FOUND",
        );
      }).pipe(Effect.provide(memory.layer));
    }),
  );
});

describe("JwksSource.layerStatic", () => {
  it.effect("fails to build from a malformed set", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(
        JwksSource.use((source) => source.key("x")).pipe(
          Effect.provide(JwksSource.layerStatic("{}")),
        ),
      );
      expect(error).toMatchObject({ code: "AGENT_IDENTITY_JWKS_MALFORMED", url: null });
    }),
  );
});
