import { describe, expect, it } from "@effect/vitest";
import * as Effect from "effect/Effect";
import * as Redacted from "effect/Redacted";
import * as Result from "effect/Result";
import { inspect } from "node:util";
import {
  type AuthDocument,
  effectiveAuthMode,
  encodeAuthJson,
  lastRefreshMs,
  makeStoredRecord,
  parseAuthJson,
  recordFields,
} from "../src/storage/auth-json/index.ts";
import type { AuthJsonInvalid } from "../src/errors/store.ts";
import { full } from "./support/full-auth-json.ts";

const parse = (text: string | Uint8Array): AuthDocument => Effect.runSync(parseAuthJson(text));

const refusal = (text: string | Uint8Array): AuthJsonInvalid => {
  const result = Effect.runSync(Effect.result(parseAuthJson(text, "/home/auth.json")));
  if (Result.isSuccess(result)) throw new Error("was accepted");
  return result.failure;
};

const reveal = (secret: Redacted.Redacted | undefined): string | undefined =>
  secret === undefined ? undefined : Redacted.value(secret);

const tokensWith = (member: string): string =>
  `{"tokens":{"id_token":"a.b.c","access_token":"b","refresh_token":"c",${member}}}`;

const refreshedAt = (time: string): number | undefined =>
  lastRefreshMs(parse(JSON.stringify({ last_refresh: time })));

describe("parseAuthJson", () => {
  it("reads every part of a full document", () => {
    const document = parse(full);
    expect(document.authMode).toBe("chatgpt");
    expect(document.openaiApiKey).toBeUndefined();
    expect(reveal(document.tokens?.idToken)).toBe("a.b.c");
    expect(reveal(document.tokens?.accessToken)).toBe("d.e.f");
    expect(reveal(document.tokens?.refreshToken)).toBe("rt-1");
    expect(document.tokens?.oauthProvenance).toEqual({
      issuer: "https://auth.example.com",
      clientId: "app_1",
    });
    expect(document.tokens?.loginOwnerId).toBe("owner-1");
    expect(document.tokens?.accountId).toBe("acc-1");
    expect(lastRefreshMs(document)).toBe(Date.UTC(2026, 3, 13, 12, 0, 0, 123));
    expect(reveal(document.personalAccessToken)).toBe("at-1");
    if (document.agentIdentity?._tag !== "Record") throw new Error("expected a record");
    expect(recordFields(document.agentIdentity)).toEqual({
      workspace_id: "ws-1",
      agent_runtime_id: "rt-1",
      agent_private_key: "a2V5",
      registered_at: "2026-04-13T12:00:00Z",
    });
  });

  it("reads the present record and a JWT as agent_identity", () => {
    const record = parse(
      `{"agent_identity":{"agent_runtime_id":"r","agent_private_key":"k","account_id":"a","chatgpt_user_id":"u","email":null,"plan_type":"plus","chatgpt_account_is_fedramp":false,"task_id":"t"}}`,
    );
    expect(record.agentIdentity?._tag).toBe("Record");
    const jwt = parse(`{"auth_mode":"agentIdentity","agent_identity":"aaa.bbb.ccc"}`);
    if (jwt.agentIdentity?._tag !== "Jwt") throw new Error("expected a JWT");
    expect(reveal(jwt.agentIdentity.jwt)).toBe("aaa.bbb.ccc");
  });

  it("treats null for an optional key as absent", () => {
    const text = `{"auth_mode":null,"OPENAI_API_KEY":null,"tokens":null,"last_refresh":null,"agent_identity":null,"personal_access_token":null}`;
    expect(parse(text)).toEqual({});
  });

  it("accepts an offset and any number of fractional digits up to nine in last_refresh", () => {
    expect(refreshedAt("2026-04-13T14:00:00+02:00")).toBe(Date.UTC(2026, 3, 13, 12));
    expect(refreshedAt("2026-04-13T12:00:00.5Z")).toBe(Date.UTC(2026, 3, 13, 12, 0, 0, 500));
    expect(refusal(`{"last_refresh":"2026-04-13T12:00:00.1234567890Z"}`).path).toBe("last_refresh");
    expect(refusal(`{"last_refresh":"2026-13-13T12:00:00Z"}`).path).toBe("last_refresh");
    expect(refusal(`{"last_refresh":"2026-04-13 12:00"}`).path).toBe("last_refresh");
  });

  it("reads bytes", () => {
    expect(reveal(parse(Buffer.from(`{"OPENAI_API_KEY":"ключ"}`)).openaiApiKey)).toBe("ключ");
  });

  it("names the file, the key, the line and the column of what it refuses", () => {
    const error = refusal(`{\n  "tokens": {\n    "id_token": 17\n  }\n}`);
    expect(error).toMatchObject({
      where: "/home/auth.json",
      path: "tokens.id_token",
      line: 3,
      column: 17,
      code: "LOGIN_AUTH_JSON_INVALID",
    });
    expect(error.message).toBe(
      "/home/auth.json:3:17: tokens.id_token: expected a string, found a number",
    );
  });

  it.each([
    ["an empty text", "", "", "is empty"],
    ["white space", " \n ", "", "is empty"],
    ["an array", "[]", "", "expected an object, found an array"],
    ["a word", "hello", "", "expected an object, found something that is not JSON"],
    [
      "a word that begins as null does",
      "not json",
      "",
      "expected an object, found something that is not JSON",
    ],
    [
      "a word that begins as true does",
      "test",
      "",
      "expected an object, found something that is not JSON",
    ],
    ["null", "null", "", "expected an object, found null"],
    ["a byte order mark", "\uFEFF{}", "", "byte order mark"],
    ["text after the end", "{} x", "", "after the end"],
    ["a second document", "{}{}", "", "after the end"],
    ["a NUL after the end", "{}\0", "", "after the end"],
    ["a cut object", `{"OPENAI_API_KEY":"sk"`, "", "is cut off"],
    ["a cut string", `{"OPENAI_API_KEY":"sk`, "OPENAI_API_KEY", "is cut off"],
    ["a cut key", `{"OPENAI`, "", "is cut off"],
    ["a cut word", `{"x": tru`, "x", "expected a value"],
    ["a comma before the end", `{"x":1,}`, "", "a key in double quotes"],
    ["a comment", `{/* hi */}`, "", "a key in double quotes"],
    ["single quotes", `{'x':1}`, "", "a key in double quotes"],
    ["a missing colon", `{"x" 1}`, "", "a colon"],
    ["a missing comma", `{"x":1 "y":2}`, "", "a comma"],
    ["NaN", `{"x":NaN}`, "x", "expected a value"],
    ["a leading zero", `{"x":01}`, "", "a comma"],
    ["a bare minus", `{"x":-}`, "x", "is not a JSON number"],
    ["an invalid escape", `{"OPENAI_API_KEY":"\\x41"}`, "OPENAI_API_KEY", "invalid escape"],
    ["a control character", `{"OPENAI_API_KEY":"a\nb"}`, "OPENAI_API_KEY", "control character"],
    ["a key twice", `{"OPENAI_API_KEY":"a","OPENAI_API_KEY":"b"}`, "OPENAI_API_KEY", "twice"],
    ["a key twice, once escaped", `{"x":1,"\\u0078":2}`, "x", "twice"],
    ["a key twice, deep in unknown ones", `{"x":[{"y":{"z":1,"z":1}}]}`, "x[0].y.z", "twice"],
    ["a key twice in tokens", tokensWith(`"id_token":"x"`), "tokens.id_token", "twice"],
    [
      "a key twice in a record",
      `{"agent_identity":{"email":"a","email":"b"}}`,
      "agent_identity.email",
      "twice",
    ],
    ["__proto__ twice", `{"__proto__":1,"__proto__":2}`, "__proto__", "twice"],
    ["an API key that is a number", `{"OPENAI_API_KEY":1}`, "OPENAI_API_KEY", "found a number"],
    ["an API key that is an object", `{"OPENAI_API_KEY":{}}`, "OPENAI_API_KEY", "found an object"],
    ["a mode that is a boolean", `{"auth_mode":true}`, "auth_mode", "found a boolean"],
    ["tokens as an array", `{"tokens":[]}`, "tokens", "found an array"],
    ["tokens without id_token", `{"tokens":{}}`, "tokens.id_token", "is missing"],
    [
      "tokens with a null access_token",
      `{"tokens":{"access_token":null}}`,
      "tokens.access_token",
      "found null",
    ],
    [
      "an account id that is a number",
      tokensWith(`"account_id":1`),
      "tokens.account_id",
      "a string",
    ],
    [
      "a provenance that is a string",
      tokensWith(`"oauth_provenance":"x"`),
      "tokens.oauth_provenance",
      "an object",
    ],
    [
      "a provenance without client",
      tokensWith(`"oauth_provenance":{"issuer":"x"}`),
      "tokens.oauth_provenance.client_id",
      "is missing",
    ],
    [
      "an identity that is not a JWT",
      `{"agent_identity":"abc"}`,
      "agent_identity",
      "invalid ID token format",
    ],
    [
      "an identity with two parts",
      `{"agent_identity":"a.b"}`,
      "agent_identity",
      "invalid ID token format",
    ],
    [
      "an identity with an empty part",
      `{"agent_identity":"a..b"}`,
      "agent_identity",
      "invalid ID token format",
    ],
    ["an identity that is a number", `{"agent_identity":1}`, "agent_identity", "found a number"],
    [
      "a record without a key",
      `{"agent_identity":{"agent_runtime_id":"r"}}`,
      "agent_identity.agent_private_key",
      "is missing",
    ],
    [
      "a record without an account",
      `{"agent_identity":{"agent_runtime_id":"r","agent_private_key":"k"}}`,
      "agent_identity.account_id",
      "is missing",
    ],
    [
      "a record with a number",
      `{"agent_identity":{"agent_runtime_id":7}}`,
      "agent_identity.agent_runtime_id",
      "found a number",
    ],
    [
      "a token that is a list",
      `{"personal_access_token":[]}`,
      "personal_access_token",
      "found an array",
    ],
    [
      "a value nested too deeply",
      `{"x":${"[".repeat(200)}${"]".repeat(200)}}`,
      `x${"[0]".repeat(128)}`,
      "nested too deeply",
    ],
  ] as const)("refuses %s", (_, text, path, reason) => {
    const error = refusal(text);
    expect(error.path).toBe(path);
    expect(error.reason).toContain(reason);
  });

  it("refuses bytes that are not UTF-8", () => {
    expect(refusal(Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d])).reason).toBe("is not UTF-8");
    expect(refusal(Buffer.from("{}", "utf16le")).reason).not.toBe("");
  });

  it("names an unknown mode, but nothing that may be a key in the wrong place", () => {
    expect(refusal(`{"auth_mode":"carrierPigeon"}`).message).toContain(
      'unknown mode "carrierPigeon"',
    );
    for (const secret of ["sk-proj-abc", "at-abc", "eyJhbGciOiJub25lIn0", "a.b.c"])
      expect(refusal(JSON.stringify({ auth_mode: secret })).message).not.toContain(secret);
  });

  it("does not show a key that may be a secret in the wrong place", () => {
    for (const secret of ["sk-proj-abc", "eyJhbGciOiJub25lIn0", "x".repeat(41)]) {
      expect(refusal(`{"${secret}"}`).message).not.toContain(secret);
      expect(refusal(`{"a":{"${secret}":tru}}`).path).toBe("a[…]");
    }
  });

  it("survives a long string with many escapes", () => {
    const value = `"\\`.repeat(200_000);
    expect(reveal(parse(JSON.stringify({ OPENAI_API_KEY: value })).openaiApiKey)).toBe(value);
  });

  it("shows no secret when a document is printed", () => {
    const canary = "canary-7f3a";
    const text = JSON.stringify({
      OPENAI_API_KEY: canary,
      tokens: { id_token: canary, access_token: canary, refresh_token: canary, x: canary },
      agent_identity: { agent_runtime_id: "r", agent_private_key: canary, account_id: "a" },
      personal_access_token: canary,
      future: { secret: canary },
    });
    const document = parse(text);
    for (const shown of [inspect(document, { depth: 9 }), JSON.stringify(document)])
      expect(shown).not.toContain(canary);
    expect(encodeAuthJson(document)).toContain(canary);
  });
});

describe("encodeAuthJson", () => {
  it("writes back what it read, to the letter", () => {
    expect(encodeAuthJson(parse(full))).toBe(full);
  });

  it("writes OPENAI_API_KEY always, and no other key without a value", () => {
    expect(encodeAuthJson({})).toBe(`{\n  "OPENAI_API_KEY": null\n}`);
    expect(encodeAuthJson({ authMode: "apikey", openaiApiKey: Redacted.make("sk-1") })).toBe(
      `{\n  "auth_mode": "apikey",\n  "OPENAI_API_KEY": "sk-1"\n}`,
    );
  });

  it("puts known keys into their order", () => {
    const text = `{"personal_access_token":"at-1","OPENAI_API_KEY":"k","auth_mode":"apikey"}`;
    expect(encodeAuthJson(parse(text), { layout: "compact" })).toBe(
      `{"auth_mode":"apikey","OPENAI_API_KEY":"k","personal_access_token":"at-1"}`,
    );
  });

  it("keeps unknown keys in their place, numbers to the digit, at every level", () => {
    const text = `{
  "first": 1.0,
  "auth_mode": "chatgpt",
  "OPENAI_API_KEY": null,
  "tokens": {
    "id_token": "a.b.c",
    "hint": [
      1e400,
      12345678901234567890,
      -0.0
    ],
    "access_token": "b",
    "refresh_token": "c",
    "oauth_provenance": {
      "issuer": "https://i",
      "new": {},
      "client_id": "c"
    }
  },
  "empty": [],
  "last_refresh": "2026-04-13T12:00:00Z",
  "agent_identity": {
    "agent_runtime_id": "r",
    "agent_private_key": "k",
    "account_id": "a",
    "generation": 18446744073709551616
  },
  "__proto__": {
    "polluted": true
  },
  "last": "\\u00e9\\/"
}`;
    const document = parse(text);
    expect(encodeAuthJson(document)).toBe(text);
    expect(Object.hasOwn(Object.prototype, "polluted")).toBe(false);
    expect(Reflect.get(document, "polluted")).toBeUndefined();
  });

  it("keeps unknown keys through a change of everything else", () => {
    const document = parse(
      `{"a":1,"tokens":{"id_token":"a.b.c","access_token":"b","refresh_token":"c","b":2},"c":3}`,
    );
    const changed: AuthDocument = { ...document, openaiApiKey: Redacted.make("sk-2") };
    expect(encodeAuthJson(changed, { layout: "compact" })).toBe(
      `{"a":1,"OPENAI_API_KEY":"sk-2","tokens":{"id_token":"a.b.c","access_token":"b","refresh_token":"c","b":2},"c":3}`,
    );
  });

  it("leaves values of unknown keys as they stood, so that rewriting does not make a file grow", () => {
    const numbers = JSON.stringify(Array.from({ length: 10_000 }, () => 1));
    const text = `{"OPENAI_API_KEY":"sk-1","future":${numbers},"tokens":{"id_token":"a.b.c","access_token":"b","refresh_token":"c","future":${numbers}}}`;
    const once = encodeAuthJson(parse(text));
    expect(once.length - text.length).toBeLessThan(100);
    expect(encodeAuthJson(parse(once))).toBe(once);
  });

  it("makes a stored record in the order given", () => {
    const agentIdentity = makeStoredRecord({
      workspace_id: "w",
      email: undefined,
      agent_runtime_id: "r",
    });
    expect(encodeAuthJson({ agentIdentity }, { layout: "compact" })).toBe(
      `{"OPENAI_API_KEY":null,"agent_identity":{"workspace_id":"w","agent_runtime_id":"r"}}`,
    );
  });
});

describe("effectiveAuthMode", () => {
  const identity = `"agent_identity":"a.b.c"`;
  const tokens = `"tokens":{"id_token":"a.b.c","access_token":"b","refresh_token":"c"}`;
  it.each([
    [`{}`, "chatgpt"],
    [`{"OPENAI_API_KEY":"k"}`, "apikey"],
    [`{"OPENAI_API_KEY":""}`, "apikey"],
    [`{"OPENAI_API_KEY":null,${tokens}}`, "chatgpt"],
    [`{"OPENAI_API_KEY":"k","personal_access_token":"at-1"}`, "personalAccessToken"],
    [`{"auth_mode":"chatgpt","OPENAI_API_KEY":"k"}`, "chatgpt"],
    [`{"auth_mode":"chatgptAuthTokens",${tokens}}`, "chatgptAuthTokens"],
    [`{${identity}}`, "agentIdentity"],
    [`{"auth_mode":"chatgpt",${identity}}`, "agentIdentity"],
    [`{"auth_mode":"chatgptAuthTokens",${identity}}`, "agentIdentity"],
    [`{"auth_mode":"chatgpt",${tokens},${identity}}`, "chatgpt"],
    [`{"auth_mode":"apikey",${identity}}`, "apikey"],
  ])("of %s is %s", (text, mode) => {
    expect(effectiveAuthMode(parse(text))).toBe(mode);
  });
});
