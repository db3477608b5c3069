import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { JwksCache } from "@agent-auth/agent-identity/jwks/cache";
import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import * as JwksCacheFile from "../src/agents/jwks-cache-file.ts";

const url = "https://auth.example/jwks";
const entry = {
  jwks: { keys: [{ kty: "RSA", kid: "key-1" }] },
  fetchedAtMs: 1_700_000_000_000,
  freshUntilMs: 1_700_000_300_000,
  mustRevalidate: false,
  etag: '"one"',
};

let codexHome: string;
beforeEach(() => {
  codexHome = mkdtempSync(join(tmpdir(), "jwks-cache-"));
});
afterEach(() => rmSync(codexHome, { recursive: true, force: true }));

const folder = () => join(codexHome, "agent-auth");
const file = () => join(folder(), readdirSync(folder())[0] ?? "");
const withCache = <A>(
  use: (cache: JwksCache["Service"]) => Effect.Effect<A>,
  options: { readonly network?: string } = {},
) =>
  Effect.runPromise(
    JwksCache.use(use).pipe(Effect.provide(JwksCacheFile.layer({ codexHome, ...options }))),
  );
const save = () => withCache((cache) => cache.save(url, entry));
const load = (from = url) => withCache((cache) => cache.load(from));

describe("jwks-cache-file", () => {
  it("returns what an earlier process saved, for that URL only", async () => {
    await save();
    expect(await load()).toEqual(Option.some(entry));
    expect(await load("https://other.example/jwks")).toEqual(Option.none());
  });

  it("gives nothing to a process that reaches the network in another way", async () => {
    await withCache((cache) => cache.save(url, entry), { network: "own roots" });
    const loadFrom = (network: string) => withCache((cache) => cache.load(url), { network });
    expect(await loadFrom("own roots")).toEqual(Option.some(entry));
    expect(await loadFrom("other roots")).toEqual(Option.none());
    expect(await load()).toEqual(Option.none());
  });

  it.skipIf(process.platform === "win32")("writes for the user alone", async () => {
    await save();
    expect(statSync(folder()).mode & 0o777).toBe(0o700);
    expect(statSync(file()).mode & 0o777).toBe(0o600);
  });

  it.skipIf(process.platform === "win32")("does not read what others may write", async () => {
    await save();
    chmodSync(file(), 0o620);
    expect(await load()).toEqual(Option.none());
  });

  it("does not read through a symbolic link", async () => {
    await save();
    const path = file();
    const elsewhere = join(codexHome, "elsewhere.json");
    writeFileSync(elsewhere, JSON.stringify({ url, ...entry }), { mode: 0o600 });
    rmSync(path);
    symlinkSync(elsewhere, path);
    expect(await load()).toEqual(Option.none());
  });

  it.each([
    ["cut", '{"url":"https://auth.ex'],
    ["of another shape", '{"url":"https://auth.example/jwks","jwks":{}}'],
    ["of another URL", JSON.stringify({ url: "https://evil.example/jwks", ...entry })],
  ])("treats a file that is %s as absent", async (_, content) => {
    await save();
    writeFileSync(file(), content);
    expect(await load()).toEqual(Option.none());
  });

  it("saves nothing, and fails nothing, if the home does not exist", async () => {
    rmSync(codexHome, { recursive: true });
    await save();
    expect(await load()).toEqual(Option.none());
  });

  it("saves nothing through a folder that is a link", async () => {
    const elsewhere = join(codexHome, "elsewhere");
    mkdirSync(elsewhere);
    symlinkSync(elsewhere, folder());
    await save();
    expect(readdirSync(elsewhere)).toEqual([]);
  });

  it.runIf(process.getuid?.() === 0)("saves nothing in another user's home, as root", async () => {
    chownSync(codexHome, 65_534, 65_534);
    await save();
    expect(readdirSync(codexHome)).toEqual([]);
  });
});
