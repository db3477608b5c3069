// WebCrypto verifies the signature, not jose; these tests compare the results with those of jose.
import type { KeyObject } from "node:crypto";
import { describe, expect, it } from "@effect/vitest";
import * as Effect from "effect/Effect";
import * as TestClock from "effect/testing/TestClock";
import * as fc from "fast-check";
import { jwtVerify } from "jose";
import { JwksSource } from "../src/jwks/index.ts";
import { defaultAudience, defaultIssuer, verifyAgentIdentityJwt } from "../src/jwt/index.ts";
import { makeSigningKey, mint, nowMs, nowSeconds } from "./mint.ts";

const key = makeSigningKey("key-1");
const clockTolerance = 60;

const settles = (promise: Promise<unknown>): Promise<boolean> =>
  promise.then(
    () => true,
    () => false,
  );

const joseAccepts = (jwt: string, publicKey: KeyObject) =>
  settles(
    jwtVerify(jwt, publicKey, {
      issuer: defaultIssuer,
      audience: defaultAudience,
      algorithms: ["RS256"],
      clockTolerance,
      currentDate: new Date(nowMs),
    }),
  );

const weAccept = (jwt: string): Promise<boolean> =>
  settles(
    Effect.runPromise(
      TestClock.setTime(nowMs).pipe(
        Effect.andThen(verifyAgentIdentityJwt(jwt)),
        Effect.provide(TestClock.layer()),
        Effect.provide(JwksSource.layerStatic({ keys: [key.jwk] })),
      ),
    ),
  );

/** The last ones have the low bytes of `e`, `A` and `.`; one of them is half of a character. */
const characters = fc.constantFrom(..."ABwx09-_+/=. \n\u0165\ud841\u012e".split(""));

/** An issuer or audience: the right one, a list with it, or something else. */
const partyOf = (right: string) =>
  fc.oneof(
    { weight: 5, arbitrary: fc.constantFrom(right, [right]) },
    fc.constantFrom(["x", right], [], "x", 7, null),
  );

describe("jose as a second opinion", () => {
  it("rejects a token with any changed character, as jose does", async () => {
    const good = await mint(key);
    expect(await weAccept(good)).toBe(true);
    expect(await joseAccepts(good, key.publicKey)).toBe(true);
    const position = fc.nat({ max: good.length });
    const put = fc.string({ unit: characters, maxLength: 2 });
    await fc.assert(
      fc.asyncProperty(position, fc.nat({ max: 2 }), put, async (at, cut, text) => {
        const retouched = good.slice(0, at) + text + good.slice(at + cut);
        expect(await weAccept(retouched)).toBe(retouched === good);
      }),
      { numRuns: 400 },
    );
  });

  it("accepts only tokens that jose accepts", async () => {
    const offset = fc.integer({ min: -120, max: 120 });
    const date = fc.oneof(
      {
        weight: 5,
        arbitrary: fc.option(
          offset.map((by) => nowSeconds + by),
          { nil: undefined },
        ),
      },
      fc.constantFrom(null, "soon", -1, 0.5, 1e300),
    );
    const claims = fc.record(
      {
        exp: date,
        nbf: date,
        iat: date,
        iss: partyOf(defaultIssuer),
        aud: partyOf(defaultAudience),
      },
      { requiredKeys: [] },
    );
    const header = fc.constantFrom({}, { typ: "at+jwt" }, { b64: true }, { kid: "key-2" });
    const verdicts = { both: 0, neither: 0, joseOnly: 0, weOnly: 0 };
    await fc.assert(
      fc.asyncProperty(claims, header, async (odd, more) => {
        const jwt = await mint(key, odd, more);
        const [ours, joses] = [await weAccept(jwt), await joseAccepts(jwt, key.publicKey)];
        verdicts[ours ? (joses ? "both" : "weOnly") : joses ? "joseOnly" : "neither"] += 1;
      }),
      { numRuns: 400 },
    );
    expect(verdicts).toMatchObject({ weOnly: 0 });
    expect(verdicts.both).toBeGreaterThan(10);
    expect(verdicts.neither).toBeGreaterThan(10);
  });
});
