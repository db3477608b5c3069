import { execFileSync } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  AgentIssuer,
  SigningKeys,
  signingKeyOf,
  signingKeyOfCommand,
} from "@agent-auth/gateway/issuer";
import { createGateway } from "@agent-auth/gateway/promises";
import { AgentRegistry, makeMemoryRegistry } from "@agent-auth/gateway/registry";
import { describe, expect, it } from "@effect/vitest";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import * as Redacted from "effect/Redacted";
import * as TestClock from "effect/testing/TestClock";
import { createLocalJWKSet, jwtVerify } from "jose";
import { account } from "./support.ts";

const issuerUrl = "https://codex.example";
const day = 86_400;
const options = { issuer: issuerUrl, maxLifetimeSeconds: day, jwksMaxAgeSeconds: 300 };

const makeFolder = async () => {
  const path = await mkdtemp(join(tmpdir(), "signing-keys-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
};

const issuing = (keys: Layer.Layer<SigningKeys>) =>
  AgentIssuer.layer(options).pipe(
    Layer.provide(keys),
    Layer.provideMerge(Layer.sync(AgentRegistry, () => makeMemoryRegistry().service)),
  );

const rsa = () => generateKeyPairSync("rsa", { modulusLength: 2048 });
const pem = (key: ReturnType<typeof rsa>["privateKey"]) =>
  key.export({ format: "pem", type: "pkcs8" }).toString();

describe("mint", () => {
  it.effect(
    "makes a token that jose verifies with the published keys, and registers the agent",
    () =>
      Effect.gen(function* () {
        yield* TestClock.setTime(Date.UTC(2026, 10, 30, 12));
        const issuer = yield* AgentIssuer;
        const minted = yield* issuer.mint({ account, expiresInSeconds: 60 });
        const { document } = yield* issuer.jwks;
        const { payload, protectedHeader } = yield* Effect.promise(() =>
          jwtVerify(
            Redacted.value(minted.jwt),
            createLocalJWKSet({ keys: document.keys.map((key) => ({ ...key })) }),
            {
              issuer: issuerUrl,
              audience: "codex-app-server",
              currentDate: new Date(Date.UTC(2026, 10, 30, 12)),
            },
          ),
        );
        expect(protectedHeader).toMatchObject({ alg: "RS256", kid: document.keys[0]?.kid });
        expect(payload).toMatchObject({
          agent_runtime_id: minted.agentRuntimeId,
          account_id: "account-1",
          chatgpt_user_id: "user-1",
          plan_type: "pro",
          exp: (payload.iat ?? 0) + 60,
        });
        const registry = yield* AgentRegistry;
        expect(yield* registry.findAgent(minted.agentRuntimeId)).toMatchObject({
          value: { publicKey: minted.publicKey, account },
        });
        expect(JSON.stringify(minted)).not.toContain("eyJ");
      }).pipe(Effect.provide(issuing(SigningKeys.layerMemory))),
  );

  it.effect("can be verified by the issuer until it expires", () =>
    Effect.gen(function* () {
      const issuer = yield* AgentIssuer;
      const { jwt } = yield* issuer.mint({ account, expiresInSeconds: 60 });
      const verify = issuer.verify(Redacted.value(jwt));
      expect((yield* verify).record.accountId).toBe("account-1");
      yield* TestClock.setTime(120_000);
      expect(yield* Effect.flip(verify)).toMatchObject({ _tag: "JwtExpired" });
    }).pipe(Effect.provide(issuing(SigningKeys.layerMemory))),
  );

  it("refuses an id that is taken and a lifetime that is too long", async () => {
    await using gateway = await createGateway({ issuer: { ...options, keys: "memory" } });
    await gateway.mint({ account, agentRuntimeId: "agent-1" });
    await expect(gateway.mint({ account, agentRuntimeId: "agent-1" })).rejects.toMatchObject({
      code: "GATEWAY_AGENT_ID_TAKEN",
    });
    await expect(gateway.mint({ account, expiresInSeconds: 2 * day })).rejects.toThrowError(
      RangeError,
    );
  });

  it("rejects with a TypeError if the gateway has no issuer", async () => {
    await using gateway = await createGateway();
    await expect(gateway.mint({ account })).rejects.toThrowError(TypeError);
  });
});

const expected = ({ old, next }: { readonly old: string; readonly next: string }) => {
  const both = [old, next].toSorted();
  return {
    old,
    next,
    atOnce: { signs: old, published: both },
    afterTenMinutes: { signs: next, published: both },
    afterADay: [next],
  };
};

describe("rotation", () => {
  const kidsOf = Effect.gen(function* () {
    const { document } = yield* (yield* AgentIssuer).jwks;
    return document.keys.map(({ kid }) => kid);
  });
  const signingKid = Effect.gen(function* () {
    const minted = yield* (yield* AgentIssuer).mint({ account, expiresInSeconds: 60 });
    const [header = ""] = Redacted.value(minted.jwt).split(".");
    const { kid }: { readonly kid: string } = JSON.parse(
      Buffer.from(header, "base64url").toString(),
    );
    return kid;
  });

  /** What is published, and which key signs, from before a rotation until the old key is not needed any more. */
  const rotation = Effect.gen(function* () {
    const startMs = Date.UTC(2026, 10, 30, 12);
    yield* TestClock.setTime(startMs);
    const old = yield* signingKid;
    const next = yield* (yield* AgentIssuer).rotate;
    const atOnce = { signs: yield* signingKid, published: (yield* kidsOf).toSorted() };
    yield* TestClock.setTime(startMs + 601_000);
    const afterTenMinutes = { signs: yield* signingKid, published: (yield* kidsOf).toSorted() };
    yield* TestClock.setTime(startMs + 600_000 + (day + 61) * 1000);
    return { old, next: next.kid, atOnce, afterTenMinutes, afterADay: yield* kidsOf };
  });
  it.effect(
    "publishes a key before it signs, and the old one until its last token has expired",
    () =>
      Effect.gen(function* () {
        const seen = yield* Effect.provide(rotation, issuing(SigningKeys.layerMemory));
        expect(seen).toEqual(expected(seen));
      }),
  );

  it.effect("does the same with the keys of a folder, which other processes see", () =>
    Effect.gen(function* () {
      const folder = yield* Effect.acquireRelease(Effect.promise(makeFolder), (made) =>
        Effect.promise(() => made[Symbol.asyncDispose]()),
      );
      const path = join(folder.path, "keys");
      const layer = issuing(SigningKeys.layerFolder({ folder: path }));
      const seen = yield* Effect.provide(rotation, layer);
      expect(seen).toEqual(expected(seen));
      const names = yield* Effect.promise(() => readdir(path));
      expect(names.toSorted()).toEqual(["20261130T120000Z.pem", "20261130T121000Z.pem"]);
      const { mode } = yield* Effect.promise(() => stat(join(path, "20261130T120000Z.pem")));
      expect(mode & 0o777).toBe(0o600);
      yield* Effect.provide(
        Effect.gen(function* () {
          yield* (yield* AgentIssuer).rotate;
          expect(yield* Effect.promise(() => readdir(path))).not.toContain("20261130T120000Z.pem");
        }),
        issuing(SigningKeys.layerFolder({ folder: path })),
      );
    }),
  );
});

describe("the keys of a folder", () => {
  it.each([
    ["is not PEM", "no key", "GATEWAY_SIGNING_KEY_INVALID"],
    [
      "is not RSA",
      generateKeyPairSync("ed25519").privateKey.export({ format: "pem", type: "pkcs8" }).toString(),
      "GATEWAY_SIGNING_KEY_INVALID",
    ],
    [
      "has 1024 bits",
      pem(generateKeyPairSync("rsa", { modulusLength: 1024 }).privateKey),
      "GATEWAY_SIGNING_KEY_INVALID",
    ],
  ])("are refused if one %s", async (_name, text, code) => {
    await using folder = await makeFolder();
    await writeFile(join(folder.path, "key.pem"), text);
    const keys = { folder: folder.path };
    await using gateway = await createGateway({ issuer: { ...options, keys } });
    await expect(gateway.mint({ account })).rejects.toMatchObject({ code });
  });
});

const signWith = async (keyFile: string, publicKey: string, extra = "") => {
  const program = `const { sign } = require("node:crypto"); const { readFileSync } = require("node:fs");
    ${extra}
    process.stdout.write(sign("sha256", readFileSync(0), readFileSync(${JSON.stringify(keyFile)})).toString("base64") + "\\n");`;
  return signingKeyOfCommand({
    publicKey,
    command: process.execPath,
    args: ["-e", program],
    timeoutMs: 20_000,
  });
};
const publicPem = (pair: ReturnType<typeof rsa>) =>
  pair.publicKey.export({ format: "pem", type: "spki" }).toString();

describe("a key that only a command can use", () => {
  it("signs tokens, and has the same kid as the key itself", async () => {
    await using folder = await makeFolder();
    const pair = rsa();
    const file = join(folder.path, "key.pem");
    await writeFile(file, pem(pair.privateKey));
    const key = await signWith(file, publicPem(pair));
    expect(key.kid).toBe(signingKeyOf(pair.privateKey).kid);
    await using gateway = await createGateway({ issuer: { ...options, keys: [key] } });
    const { jwt } = await gateway.mint({ account });
    expect((await gateway.verifyIdentity(jwt)).kid).toBe(key.kid);
    expect(execFileSync("ls", [folder.path]).toString()).toBe("key.pem\n");
    expect(await readFile(file, "utf8")).toContain("PRIVATE KEY");
  });

  it.each([
    ["signs with another key", true, "", "its output is not the base64 of a signature of this key"],
    ["fails", false, "process.exit(3);", "it ended with status 3"],
  ])("is reported if the command %s", async (_name, isOther, extra, problem) => {
    await using folder = await makeFolder();
    const pair = rsa();
    const file = join(folder.path, "key.pem");
    await writeFile(file, pem(isOther ? rsa().privateKey : pair.privateKey));
    const keys = [await signWith(file, publicPem(pair), extra)];
    await using gateway = await createGateway({ issuer: { ...options, keys } });
    await expect(gateway.mint({ account })).rejects.toMatchObject({
      code: "GATEWAY_SIGNING_COMMAND_FAILED",
      problem,
    });
  });

  it("is reported if there is no such command", async () => {
    const key = signingKeyOfCommand({ publicKey: publicPem(rsa()), command: "/nonexistent/kms" });
    await using gateway = await createGateway({ issuer: { ...options, keys: [key] } });
    await expect(gateway.mint({ account })).rejects.toMatchObject({
      code: "GATEWAY_SIGNING_COMMAND_FAILED",
      problem: "it could not be started (ENOENT)",
    });
  });
});
