import { describe, expect, it } from "@effect/vitest";
import * as Effect from "effect/Effect";
import * as Redacted from "effect/Redacted";
import * as fc from "fast-check";
import { makeAssertionSigner } from "../src/assertion/index.ts";
import {
  AgentPublicKeys,
  importAgentPublicKey,
  verifyAgentAssertion,
} from "../src/assertion/verifier.ts";
import { decodeBase64, decodeBase64Url } from "../src/encoding/base64.ts";
import { isId } from "../src/encoding/text.ts";
import { parseJsonObject } from "../src/encoding/json.ts";
import { toSingleLine } from "../src/encoding/text.ts";
import { formatRfc3339Second, parseRfc3339Second } from "../src/encoding/rfc3339.ts";
import { exportPkcs8, generateAgentKey, importAgentKey } from "../src/keys/index.ts";
import { parseAgentIdentityClaims } from "../src/record/index.ts";
import { sealToAgent, unsealWithAgentKey } from "../src/keys/sealed-box.ts";
import { jwksUrl, normalizeBaseUrl, taskRegistrationUrl } from "../src/urls/index.ts";

const run = <A>(effect: Effect.Effect<A, unknown>): A => Effect.runSync(effect);
const id = fc.string({ unit: "grapheme-ascii", minLength: 1, maxLength: 40 }).filter(isId);
/** A verifier rejects a colon in an agent runtime id, since the signed text joins ids with it. */
const runtimeId = id.filter((text) => !text.includes(":"));
const bytes = fc.uint8Array({ maxLength: 200 });

describe("properties: encodings", () => {
  it("base64 and base64url round-trip with one encoding per value", () => {
    fc.assert(
      fc.property(
        bytes,
        fc.nat(),
        fc.constantFrom("A", "B", "+", "/", "-", "_", "=", ".", " ", "\n"),
        (value, at, character) => {
          const [text, url] = [
            Buffer.from(value).toString("base64"),
            Buffer.from(value).toString("base64url"),
          ];
          expect(decodeBase64(text)?.equals(value)).toBe(true);
          expect(decodeBase64Url(url)?.equals(value)).toBe(true);
          const where = at % (url.length + 1);
          const odd = url.slice(0, where) + character + url.slice(where + 1);
          const read = decodeBase64Url(odd);
          expect(read?.equals(value) ?? false).toBe(odd === url);
        },
      ),
    );
  });

  it("parseJsonObject agrees with JSON.parse and finds a duplicate name at any depth", () => {
    const wrap = fc.constantFrom(
      (inner: string) => inner,
      (inner: string) => `{"deep":[1,{"x":${inner}}]}`,
      (inner: string) => `{ "a" : "\\"}{" , "b" : ${inner} }`,
    );
    fc.assert(
      fc.property(
        fc.dictionary(fc.string(), fc.jsonValue(), { minKeys: 1 }),
        fc.nat(),
        wrap,
        (object, at, around) => {
          const text = JSON.stringify(object);
          expect(parseJsonObject(Buffer.from(around(text)))).toEqual(JSON.parse(around(text)));
          const names = Object.keys(JSON.parse(text));
          const name = JSON.stringify(names[at % names.length]);
          const twice = around(`${text.slice(0, -1)},${name}:0}`);
          expect(parseJsonObject(Buffer.from(twice))).toBe("has a duplicate name");
        },
      ),
    );
  });

  it("RFC 3339 seconds round-trip", () => {
    fc.assert(
      fc.property(fc.integer({ min: -62_167_219_200, max: 253_402_300_799 }), (second) => {
        expect(parseRfc3339Second(formatRfc3339Second(second))).toBe(second * 1000);
      }),
    );
  });

  it("toSingleLine limits the length and removes control characters", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: "binary", maxLength: 300 }),
        fc.integer({ min: 1, max: 50 }),
        (text, max) => {
          const line = toSingleLine(text, max);
          expect(Array.from(line).length).toBeLessThanOrEqual(max);
          expect(line).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
          expect(line.isWellFormed()).toBe(true);
        },
      ),
    );
  });
});

describe("properties: keys and assertions", () => {
  it("a key can be exported and imported in every format", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (seed) => {
        const v1 = Buffer.concat([Buffer.from("302e020100300506032b657004220420", "hex"), seed]);
        const key = run(importAgentKey(Redacted.make(v1.toString("base64"))));
        const v2 = Buffer.concat([
          Buffer.from("3051020101300506032b657004220420", "hex"),
          seed,
          Buffer.from("812100", "hex"),
          key.publicKeyRaw,
        ]);
        const again = run(importAgentKey(Redacted.make(v2.toString("base64"))));
        expect(again.sshPublicKey).toBe(key.sshPublicKey);
        expect(Redacted.value(exportPkcs8(again))).toBe(v1.toString("base64"));
      }),
      { numRuns: 50 },
    );
  });

  it("a verifier accepts what a signer writes and rejects changes", () => {
    const key = run(generateAgentKey);
    const publicKey = run(importAgentPublicKey(key.sshPublicKey));
    const wide = { isKnownTask: null, clockWindowSeconds: 1e12 };
    const ms = fc.integer({ min: -62_167_219_200_000, max: 253_402_300_799_999 });
    fc.assert(
      fc.property(runtimeId, id, ms, fc.nat(), (agentRuntimeId, taskId, nowMs, at) => {
        const keys = AgentPublicKeys.layerMemory(new Map([[agentRuntimeId, publicKey]]));
        const header = makeAssertionSigner({ key, agentRuntimeId, taskId }).authorizationAt(nowMs);
        const verified = run(verifyAgentAssertion(header, wide).pipe(Effect.provide(keys)));
        expect(verified).toEqual({
          agentRuntimeId,
          taskId,
          timestampMs: Math.floor(nowMs / 1000) * 1000,
        });
        const prefix = "AgentAssertion ".length;
        const where = prefix + (at % (header.length - prefix));
        const other = header[where] === "A" ? "B" : "A";
        const changed = header.slice(0, where) + other + header.slice(where + 1);
        const outcome = run(
          Effect.result(verifyAgentAssertion(changed, wide).pipe(Effect.provide(keys))),
        );
        expect(outcome._tag).toBe("Failure");
      }),
      { numRuns: 200 },
    );
  });

  it("a sealed message can only be decrypted by its recipient", () => {
    const [mine, theirs] = [run(generateAgentKey), run(generateAgentKey)];
    fc.assert(
      fc.property(bytes, (message) => {
        const sealed = run(sealToAgent(mine.publicKeyRaw, message));
        expect(Buffer.from(run(unsealWithAgentKey(mine, sealed))).equals(message)).toBe(true);
        expect(run(Effect.flip(unsealWithAgentKey(theirs, sealed))).code).toBe(
          "AGENT_IDENTITY_SEALED_BOX_DECRYPTION_FAILED",
        );
      }),
      { numRuns: 30 },
    );
  });
});

describe("properties: URLs and claims", () => {
  const segment = fc.stringMatching(/^[a-z][a-z0-9-]{0,8}$/);
  const base = fc
    .tuple(
      fc.constantFrom(
        "https://chatgpt.com",
        "https://chat.openai.com",
        "https://own.example:8443",
        "http://127.0.0.1:9",
      ),
      fc.array(fc.oneof(segment, fc.constantFrom("api", "codex", "backend-api")), { maxLength: 5 }),
    )
    .map(([origin, segments]) => [origin, ...segments].join("/"));

  it("a JWKS URL keeps its origin and ignores trailing slashes and spaces", () => {
    fc.assert(
      fc.property(
        base,
        fc.constantFrom("", "/", "//"),
        fc.constantFrom("", " ", "\n"),
        (text, slashes, space) => {
          const url = run(jwksUrl(text));
          expect(new URL(url).origin).toBe(new URL(text).origin);
          expect(url).toMatch(/\/agent-identities\/jwks$/);
          expect(url).not.toMatch(/\/api\/codex\/api\/codex\/agent-identities/);
          expect(run(jwksUrl(space + text + slashes + space))).toBe(url);
          expect(run(normalizeBaseUrl(run(normalizeBaseUrl(text))))).toBe(
            run(normalizeBaseUrl(text)),
          );
        },
      ),
    );
  });

  it("an id is one path segment of the registration URL", () => {
    fc.assert(
      fc.property(id, (runtimeId) => {
        const { pathname, search, hash } = new URL(
          run(taskRegistrationUrl("https://own.example/api", runtimeId)),
        );
        const segments = pathname.split("/");
        expect([search, hash, segments.length]).toEqual(["", "", 7]);
        expect(decodeURIComponent(segments[4] ?? "")).toBe(runtimeId);
      }),
    );
  });

  it("parsing claims never throws and never shows a value", () => {
    const name = fc.constantFrom(
      "agent_runtime_id",
      "agent_private_key",
      "account_id",
      "workspace_id",
      "plan_type",
      "email",
    );
    const value = fc.oneof(fc.jsonValue(), fc.constant("canary-value"), fc.string());
    fc.assert(
      fc.property(fc.dictionary(name, value), (claims) => {
        const outcome = run(Effect.result(parseAgentIdentityClaims(claims, { nowMs: 0 })));
        const said = outcome._tag === "Failure" ? [outcome.failure, outcome.failure.message] : [];
        expect(JSON.stringify(said)).not.toContain("canary");
      }),
    );
  });
});
