import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as Effect from "effect/Effect";
import { SignJWT } from "jose";
import { describe, expect, it } from "vitest";
import {
  capabilityTokenFromFile,
  type ListenerAuth,
  sharedSecretFromFile,
} from "../../src/server/index.ts";
import { startWebSocket } from "../support/listening.ts";
import { handshake } from "../support/sockets.ts";

const sha256 = (text: string) => createHash("sha256").update(text).digest();
const file = (content: string | Buffer) => {
  const path = join(mkdtempSync(join(tmpdir(), "app-server-auth-")), "secret");
  writeFileSync(path, content, { mode: 0o600 });
  return path;
};

const text = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
const problem = async (path: string) =>
  (await Effect.runPromise(Effect.flip(sharedSecretFromFile(path)))).message;

describe("a capability token", () => {
  const auth: ListenerAuth = { _tag: "CapabilityToken", sha256: sha256("secret-token-1") };
  const missing = "missing websocket bearer token";
  const invalid = "invalid authorization header";
  const wrong = "invalid websocket bearer token";

  it.each([
    ["is missing", {}, missing],
    ["is wrong", { Authorization: "Bearer wrong" }, wrong],
    ["is a prefix", { Authorization: "Bearer secret-token-" }, wrong],
    ["is followed by another word", { Authorization: "Bearer secret-token-1 x" }, wrong],
    ["is sent without a scheme", { Authorization: "secret-token-1" }, invalid],
    ["is sent by another scheme", { Authorization: "Basic c2VjcmV0" }, invalid],
    ["is empty", { Authorization: "Bearer " }, invalid],
    ["is sent after a tab", { Authorization: "Bearer\tsecret-token-1" }, invalid],
    ["is not ASCII", { Authorization: "Bearer \u00ff" }, invalid],
    ["is sent twice", { Authorization: ["Bearer secret-token-1", "Bearer x"] }, invalid],
  ])("that %s is refused", async (_, headers, body) => {
    await using server = await startWebSocket({ auth });
    expect(await handshake(server, headers)).toEqual({ status: 401, body });
  });

  it.each([
    ["as usual", "Bearer secret-token-1"],
    ["with the scheme in lower case", "bearer secret-token-1"],
    ["with blanks around it", "Bearer  secret-token-1 "],
  ])("is accepted %s", async (_, authorization) => {
    await using server = await startWebSocket({ auth });
    expect((await handshake(server, { authorization })).status).toBe(101);
  });

  it("in the query is refused", async () => {
    await using server = await startWebSocket({ auth });
    const answer = await handshake(server, {}, "/?token=secret-token-1");
    expect(answer).toEqual({ status: 401, body: missing });
  });

  it("does not help a request with an Origin", async () => {
    await using server = await startWebSocket({ auth });
    const headers = { Authorization: "Bearer secret-token-1", Origin: "http://x" };
    expect(await handshake(server, headers)).toEqual({ status: 403, body: "" });
  });

  it("is read from a file without the white space around it", async () => {
    const fromFile = await Effect.runPromise(capabilityTokenFromFile(file("  secret-token-1\n\n")));
    expect(fromFile).toEqual({ _tag: "CapabilityToken", sha256: sha256("secret-token-1") });
  });

  it("with a digest of another length is a TypeError", async () => {
    const short: ListenerAuth = { _tag: "CapabilityToken", sha256: new Uint8Array(31) };
    await expect(startWebSocket({ auth: short })).rejects.toThrow(TypeError);
  });
});

describe("a signed token", () => {
  const secret = Buffer.from("0123456789abcdef0123456789abcdef");
  const auth: ListenerAuth = {
    _tag: "SignedBearerToken",
    secret,
    issuer: "iss",
    audience: "aud",
  };
  const now = Math.floor(Date.now() / 1000);
  const good = { iss: "iss", aud: "aud", exp: now + 600 };
  const sign = (claims: object, { alg = "HS256", key = secret, typ = "JWT" } = {}) =>
    new SignJWT({ ...claims }).setProtectedHeader({ alg, typ }).sign(key);
  const statusOf = async (token: string, rules: ListenerAuth = auth) => {
    await using server = await startWebSocket({ auth: rules });
    const { body, status } = await handshake(server, { Authorization: `Bearer ${token}` });
    return status === 401 ? body : status;
  };

  it.each([
    ["with all claims", good],
    ["with a list of audiences", { ...good, aud: ["other", "aud"] }],
    ["expired for less than 30 seconds", { ...good, exp: now - 20 }],
    ["not valid for less than 30 seconds yet", { ...good, nbf: now + 20 }],
    ["issued in the future", { ...good, iat: now + 1000 }],
    ["of another type", good, { typ: "other" }],
  ])("is accepted %s", async (_, claims, header?: { typ: string }) => {
    expect(await statusOf(await sign(claims, header))).toBe(101);
  });

  it.each([
    ["expired", { ...good, exp: now - 100 }, "expired websocket jwt"],
    ["expired since 1970", { ...good, exp: 0 }, "expired websocket jwt"],
    ["expired, of another issuer", { ...good, exp: 0, iss: "x" }, "expired websocket jwt"],
    ["not valid yet", { ...good, nbf: now + 100 }, "websocket jwt is not valid yet"],
    ["of another issuer", { ...good, iss: "x" }, "websocket jwt issuer mismatch"],
    ["without an issuer", { aud: "aud", exp: now + 60 }, "websocket jwt issuer mismatch"],
    ["for another audience", { ...good, aud: "x" }, "websocket jwt audience mismatch"],
    ["for other audiences", { ...good, aud: ["x", "y"] }, "websocket jwt audience mismatch"],
    ["without an audience", { iss: "iss", exp: now + 60 }, "websocket jwt audience mismatch"],
    ["without an expiry", { iss: "iss", aud: "aud" }, "invalid websocket jwt"],
    ["with a fraction as expiry", { ...good, exp: now + 60.5 }, "invalid websocket jwt"],
    ["with text as expiry", { ...good, exp: String(now + 60) }, "invalid websocket jwt"],
    ["with text as start", { ...good, nbf: "x" }, "invalid websocket jwt"],
    ["with a list of issuers", { ...good, iss: ["iss"] }, "invalid websocket jwt"],
    ["with a number as audience", { ...good, aud: 5 }, "invalid websocket jwt"],
  ])("%s is refused", async (_, claims, body) => {
    const payload = text(claims);
    const signed = await sign({});
    // Claims of wrong types cannot be made with jose.
    const [header = ""] = signed.split(".");
    const { createHmac } = await import("node:crypto");
    const signature = createHmac("sha256", secret).update(`${header}.${payload}`);
    expect(await statusOf(`${header}.${payload}.${signature.digest("base64url")}`)).toBe(body);
  });

  it.each([
    ["signed with another secret", () => sign(good, { key: Buffer.alloc(32, 1) })],
    ["signed with HS512", () => sign(good, { alg: "HS512", key: Buffer.alloc(64, 0x30) })],
    ["with a changed signature", async () => `${await sign(good)}x`],
    ["with the algorithm none", () => `${text({ alg: "none" })}.${text(good)}.`],
    [
      "with an unknown critical header",
      () => {
        const header = text({ alg: "HS256", crit: ["x"], x: 1 });
        return `${header}.${text(good)}.AAAA`;
      },
    ],
    ["that is not a JWT", () => "abc"],
    ["whose payload is a list", () => `${text({ alg: "HS256" })}.${text([1])}.AAAA`],
  ])("%s is refused", async (_, make) => {
    expect(await statusOf(await make())).toBe("invalid websocket jwt");
  });

  it("needs no issuer or audience unless they are configured, and may be late as configured", async () => {
    const rules: ListenerAuth = { _tag: "SignedBearerToken", secret, maxClockSkewSeconds: 300 };
    expect(await statusOf(await sign({ exp: now - 200 }), rules)).toBe(101);
    expect(await statusOf(await sign({ exp: now - 400 }), rules)).toBe("expired websocket jwt");
  });

  it("with a secret of 31 bytes, or a skew that is not a whole number, is a TypeError", async () => {
    const short: ListenerAuth = { _tag: "SignedBearerToken", secret: Buffer.alloc(31) };
    await expect(startWebSocket({ auth: short })).rejects.toThrow(TypeError);
    const skewed: ListenerAuth = { ...auth, maxClockSkewSeconds: Number.NaN };
    await expect(startWebSocket({ auth: skewed })).rejects.toThrow(TypeError);
  });
});

describe("a file with a secret", () => {
  it("must exist", async () => {
    const path = "/nonexistent/secret";
    expect(await problem(path)).toBe(
      `failed to read websocket auth secret ${path}: there is no such file or folder`,
    );
  });

  it("must not be empty", async () => {
    const path = file(" \n");
    expect(await problem(path)).toBe(`websocket auth secret ${path} must not be empty`);
  });

  it("must have 32 bytes without the white space around them", async () => {
    const path = file(`${"a".repeat(31)}\n`);
    expect(await problem(path)).toBe(
      `signed websocket bearer secret ${path} must be at least 32 bytes`,
    );
    const long = await Effect.runPromise(sharedSecretFromFile(file(`${"a".repeat(32)}\n`)));
    expect(Buffer.from(long).toString()).toBe("a".repeat(32));
  });

  it("must be a regular file of at most 64 KiB", async () => {
    const folder = join(file("x"), "../folder");
    mkdirSync(folder);
    expect(await problem(folder)).toBe(
      `failed to read websocket auth secret ${folder}: it is a folder`,
    );
    const large = file(Buffer.alloc(64 * 1024 + 1, 0x61));
    expect(await problem(large)).toContain("it is larger than 64 KiB");
  });
});
