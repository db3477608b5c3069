import { describe, expect, it } from "@effect/vitest";
import * as Effect from "effect/Effect";
import * as Exit from "effect/Exit";
import * as Result from "effect/Result";
import fc from "fast-check";
import { inspect } from "node:util";
import {
  type AuthDocument,
  encodeAuthJson,
  parseAuthJson,
} from "../src/storage/auth-json/index.ts";
import type { AuthJsonInvalid } from "../src/errors/store.ts";
import { full } from "./support/full-auth-json.ts";

const parse = (text: string | Uint8Array): AuthDocument => Effect.runSync(parseAuthJson(text));

const refusal = (text: string | Uint8Array): AuthJsonInvalid => {
  const result = Effect.runSync(Effect.result(parseAuthJson(text, "/home/auth.json")));
  if (Result.isSuccess(result)) throw new Error("was accepted");
  return result.failure;
};

const isJson = (text: string): boolean => {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
};

describe("the codec, for any JSON", () => {
  const key = fc.string({ unit: "grapheme" }).filter((name) => name !== "");
  const known = [
    "auth_mode",
    "OPENAI_API_KEY",
    "tokens",
    "last_refresh",
    "agent_identity",
    "personal_access_token",
  ];

  it("loses nothing of unknown members", () => {
    const members = fc.dictionary(
      key.filter((name) => !known.includes(name)),
      fc.jsonValue(),
    );
    fc.assert(
      fc.property(members, fc.nat(4), (value, indent) => {
        const document = parse(JSON.stringify(value, null, indent));
        for (const layout of ["pretty", "compact"] as const) {
          const { OPENAI_API_KEY, ...rest } = JSON.parse(encodeAuthJson(document, { layout }));
          expect(OPENAI_API_KEY).toBeNull();
          expect(JSON.stringify(rest)).toBe(JSON.stringify(value));
        }
      }),
    );
  });

  it("agrees with JSON.parse, except for what it rejects on purpose", () => {
    const piece = fc.constantFrom(
      "{",
      "}",
      "[",
      "]",
      ":",
      ",",
      '"',
      "\\",
      "-",
      "0",
      ".",
      "e",
      "E",
      "+",
      "t",
      "null",
      "true",
      " ",
      '"a"',
      "\\u0041",
      "1",
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        const text = `{"x":${pieces.join("")}}`;
        const exit = Effect.runSyncExit(parseAuthJson(text));
        const isRefusedOnPurpose = inspect(exit).includes("twice");
        expect(Exit.isSuccess(exit)).toBe(isJson(text) && !isRefusedOnPurpose);
      }),
      { numRuns: 5_000 },
    );
  });

  it("refuses every proper beginning of a document", () => {
    for (let length = 0; length < full.length; length++)
      expect(refusal(full.slice(0, length)).code).toBe("LOGIN_AUTH_JSON_INVALID");
  });

  it("never throws for any bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        const exit = Effect.runSyncExit(parseAuthJson(bytes));
        expect(Exit.isSuccess(exit) || !Exit.hasDies(exit)).toBe(true);
      }),
    );
  });
});
