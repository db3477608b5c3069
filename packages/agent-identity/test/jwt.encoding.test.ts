// A token has one encoding: what a lenient decoder would read as the same bytes is rejected.
import { describe, expect, it } from "@effect/vitest";
import * as Effect from "effect/Effect";
import * as TestClock from "effect/testing/TestClock";
import { JwksSource } from "../src/jwks/index.ts";
import { decodeUnverifiedAgentIdentityJwt, verifyAgentIdentityJwt } from "../src/jwt/index.ts";
import { makeSigningKey, mint, nowMs } from "./mint.ts";

const key = makeSigningKey("key-1");
const minted = Effect.promise(() => mint(key));
const verify = (jwt: string) =>
  TestClock.setTime(nowMs).pipe(
    Effect.andThen(verifyAgentIdentityJwt(jwt)),
    Effect.provide(JwksSource.layerStatic({ keys: [key.jwk] })),
  );
const codeOf = (jwt: string) => Effect.map(Effect.flip(verify(jwt)), (error) => error.code);

/** A token with the first character of one part moved out of ASCII, with the same low byte. */
const moved = (jwt: string, part: number, by: number): string =>
  jwt
    .split(".")
    .map((text, nth) =>
      nth === part ? String.fromCharCode(by + text.charCodeAt(0)) + text.slice(1) : text,
    )
    .join(".");

const codes = [
  "AGENT_IDENTITY_JWT_HEADER_MALFORMED",
  "AGENT_IDENTITY_JWT_FORMAT_INVALID",
  "AGENT_IDENTITY_JWT_FORMAT_INVALID",
];

describe("the encoding of a token", () => {
  it.effect("does not read characters outside ASCII by their low byte", () =>
    Effect.gen(function* () {
      const jwt = yield* minted;
      for (const [part, code] of codes.entries())
        for (const by of [0x100, 0x2100, 0xd800, 0xff00])
          expect(yield* codeOf(moved(jwt, part, by))).toBe(code);
    }),
  );

  it.effect("does not read them by their low byte after a token with the same header", () =>
    Effect.gen(function* () {
      const jwt = yield* minted;
      yield* verify(jwt);
      expect(yield* codeOf(moved(jwt, 0, 0x100))).toBe(codes[0]);
      yield* verify(jwt);
    }),
  );

  it.effect("does not read a character outside ASCII as a dot", () =>
    Effect.gen(function* () {
      const jwt = (yield* minted).replaceAll(".", "\u012e");
      expect(yield* codeOf(jwt)).toBe("AGENT_IDENTITY_JWT_FORMAT_INVALID");
    }),
  );

  it.effect("is not affected by a caller that changes a decoded header", () =>
    Effect.gen(function* () {
      const jwt = yield* minted;
      const { header } = yield* decodeUnverifiedAgentIdentityJwt(jwt);
      Reflect.set(header, "kid", "attacker");
      expect(yield* verify(jwt)).toMatchObject({ kid: "key-1" });
    }),
  );
});
