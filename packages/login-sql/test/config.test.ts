import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import * as Effect from "effect/Effect";
import * as Redacted from "effect/Redacted";
import * as Result from "effect/Result";
import * as TestClock from "effect/testing/TestClock";
import { afterAll, describe, expect, it, vi } from "vitest";
import { parseStoreUrl } from "../src/connection/target.ts";
import { makeKeyRing, type KeySource } from "../src/encryption/index.ts";
import { describeStoreUrl, generateStoreKey, makeSqlStore } from "../src/index.ts";
import { keyLine, textKeys } from "./support/databases.ts";

const folder = mkdtempSync(join(tmpdir(), "login-sql-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("the URL of a store", () => {
  it("says where the database is and how it is reached", () => {
    const url = "postgres://app:p%40ss@db.example:6432/agents?schema=auth&sign_in=ada&notify=poll";
    const target = Result.getOrThrow(parseStoreUrl(url));
    expect(target).toMatchObject({
      _tag: "Postgres",
      host: "db.example",
      port: 6432,
      database: "agents",
      username: "app",
      sslMode: "verify-full",
      schema: "auth",
      signIn: "ada",
      notify: "poll",
    });
    expect(target._tag === "Postgres" && target.password && Redacted.value(target.password)).toBe(
      "p@ss",
    );
  });

  it.each([
    ["postgres://a@localhost/d", "disable"],
    ["postgres://a@127.0.0.1/d", "disable"],
    ["postgres://a@[::1]/d", "disable"],
    ["postgres://a@unused/d?host=/run/postgresql", "disable"],
    ["postgres://a@10.0.0.1/d", "verify-full"],
    ["postgres://a@localhost.example/d", "verify-full"],
    ["postgres://a@db/d?sslmode=require", "require"],
  ])("%s is reached with sslmode %s", (url, sslMode) => {
    expect(Result.getOrThrow(parseStoreUrl(url))).toMatchObject({ sslMode });
  });

  it.each([
    ["no url", "it is not a URL"],
    ["mysql://a@db/d", "its scheme is mysql: instead of postgres: or sqlite:"],
    ["postgres:///d", "the host is missing"],
    ["postgres://db/d", "the user is missing"],
    [
      "postgres://a@db/d?sslmode=prefer",
      "sslmode must be disable, require, verify-ca, verify-full; others protect nothing",
    ],
    ["postgres://a@db/d?sslmod=disable", "the parameter sslmod is not known"],
    ["postgres://a@db/d?schema=a;b", "schema is not lower-case letters, digits and underscores"],
    ["postgres://a@db/d?sslcert=/c", "sslcert and sslkey belong together"],
    ["postgres://a@db/d?connect_timeout=0", "connect_timeout must be 1 to 60 seconds"],
    ["postgres://%zz@db/d", "its percent-encoding is invalid"],
    ["sqlite://file.db", "the path of the file is missing: write sqlite:/path/to/file"],
    ["sqlite:/a?table_prefix=A-", "table_prefix is not lower-case letters, digits and underscores"],
  ])("%s is refused: %s", (url, reason) => {
    const refused = Result.getOrThrow(Result.flip(parseStoreUrl(url)));
    expect(refused.reason).toBe(reason);
  });

  it.each([
    ["a slash", "postgres://app:12/canary@db/d"],
    ["a question mark", "postgres://app:12?canary=1@db/d"],
    ["a question mark at its start", "postgres://app:?canary@db/d"],
    ["a number sign", "postgres://app:12#canary@db/d"],
    ["an at sign and a slash", "postgres://app:pa@12/canary@db/d"],
    ["an at sign and a question mark", "postgres://app:pa@12?canary@db/d"],
    ["a slash and no at sign after it", "postgres://app:canary/"],
    ["a space", "postgres://app:canary x@db:port/d"],
  ])("with %s in its password shows none of it", (_name, url) => {
    const refused = Result.getOrThrow(Result.flip(parseStoreUrl(url)));
    expect(`${inspect(refused)} ${JSON.stringify(describeStoreUrl(url))}`).not.toContain("canary");
  });

  it("is described without user, password and parameters", () => {
    const url = Redacted.make("postgres://app:secret@db.example/agents?sign_in=ada");
    expect(describeStoreUrl(url)).toEqual({
      name: "postgres",
      where: "db.example:5432/agents (ada)",
    });
    expect(describeStoreUrl("postgres://secret")).toEqual({
      name: "postgres",
      where: "an unusable URL",
    });
    expect(describeStoreUrl("sqlite:/var/lib/a%20b.db")).toEqual({
      name: "sqlite",
      where: "/var/lib/a b.db",
    });
  });
});

const firstId = (source: KeySource) =>
  Effect.runPromise(
    Effect.match(makeKeyRing(source).forEncryption, {
      onFailure: ({ reason }) => reason,
      onSuccess: ({ id }) => id,
    }),
  );

describe("the keys of a store", () => {
  it("are read from a text, a file or a command; the first one encrypts", async () => {
    const file = join(folder, "keys");
    writeFileSync(
      file,
      `# rotated in November\n\n${generateStoreKey("file-1")}\n${generateStoreKey("file-0")}\n`,
    );
    expect(await firstId(textKeys(keyLine("text", 1)))).toBe("text");
    expect(await firstId({ _tag: "File", path: file })).toBe("file-1");
    expect(await firstId({ _tag: "Command", argv: ["cat", file] })).toBe("file-1");
  });

  it.each([
    { title: "none", source: textKeys("# nothing"), reason: "there is no key to encrypt with" },
    {
      title: "too short",
      source: textKeys("k:YWJj"),
      reason: "line 1 of the keys is not <id>:<base64 of 32 bytes>",
    },
    {
      title: "repeated",
      source: textKeys(keyLine("k", 1), keyLine("k", 2)),
      reason: "line 2 of the keys repeats a key id",
    },
    {
      title: "in no file",
      source: { _tag: "File", path: "/nowhere/keys" } as const,
      reason: "the key file /nowhere/keys cannot be read",
    },
    {
      title: "of a command that fails",
      source: { _tag: "Command", argv: ["sh", "-c", "echo k:secret; exit 3"] } as const,
      reason: "the key command sh failed (3)",
    },
    {
      title: "of a command that prints a key to stderr",
      source: { _tag: "Command", argv: ["sh", "-c", "echo k:secret >&2; exit 4"] } as const,
      reason: "the key command sh failed (4)",
    },
    {
      title: "of a command that is killed",
      source: { _tag: "Command", argv: ["sh", "-c", "kill -9 $$"] } as const,
      reason: "the key command sh failed (SIGKILL)",
    },
    {
      title: "of a command that prints without end",
      source: { _tag: "Command", argv: ["cat", "/dev/zero"] } as const,
      reason: "the key command cat printed more than 64 KiB",
    },
    {
      title: "of a command that prints to stderr without end",
      source: { _tag: "Command", argv: ["sh", "-c", "exec cat /dev/zero >&2"] } as const,
      reason: "the key command sh printed more than 64 KiB",
    },
    {
      title: "of a command that is missing",
      source: { _tag: "Command", argv: ["/nowhere/kms"] } as const,
      reason: "the key command /nowhere/kms failed (ENOENT)",
    },
  ])("are refused if they are $title", async ({ reason, source }) => {
    expect(await firstId(source)).toBe(reason);
  });

  it("come from a command that gets no credentials of this program", async () => {
    const withheld = ["AGENT_AUTH_STORE", "AGENT_AUTH_STORE_KEY", "CODEX_API_KEY"];
    for (const name of withheld) vi.stubEnv(name, "canary");
    vi.stubEnv("KMS_REGION", "eu");
    const line = generateStoreKey("clean");
    const script = `env | grep canary && exit 1; test "$KMS_REGION" = eu && echo "${line}"`;
    try {
      expect(await firstId({ _tag: "Command", argv: ["sh", "-c", script] })).toBe("clean");
    } finally {
      vi.unstubAllEnvs();
    }
  });

  it("are unwrapped by a stand-in for a KMS, and a rotation needs no restart", async () => {
    const [master, wrapped] = [join(folder, "master"), join(folder, "store-keys.enc")];
    writeFileSync(master, "of the KMS");
    const openssl = (...args: ReadonlyArray<string>) => [
      "openssl",
      "enc",
      "-aes-256-cbc",
      "-pbkdf2",
      "-pass",
      `file:${master}`,
      ...args,
    ];
    const wrap = (...lines: ReadonlyArray<string>) => {
      const [program = "", ...args] = openssl("-out", wrapped);
      execFileSync(program, args, { input: lines.join("\n") });
    };
    const [program = "", ...args] = openssl("-d", "-in", wrapped);
    const [old, next] = [generateStoreKey("k1"), generateStoreKey("k2")];
    wrap(old);
    expect(readFileSync(wrapped, "utf8")).not.toContain("k1:");
    const ring = makeKeyRing({ _tag: "Command", argv: [program, ...args] });
    const found = await Effect.gen(function* () {
      const before = yield* ring.forEncryption;
      wrap(next, old);
      yield* TestClock.adjust(5_000);
      // A document of a program that has the new keys already.
      const asked = yield* ring.find("k2");
      const after = yield* ring.forEncryption;
      return [before.id, asked.id, after.id, (yield* ring.find("k1")).id];
    }).pipe(Effect.provide(TestClock.layer()), Effect.runPromise);
    expect(found).toEqual(["k1", "k2", "k2", "k1"]);
  });

  it("are refused if their command ignores its end", async () => {
    const script = "process.on('SIGTERM', () => {}); setInterval(() => {}, 1000)";
    const source: KeySource = { _tag: "Command", argv: [process.execPath, "-e", script] };
    const problem = await Effect.runPromise(
      Effect.flip(makeKeyRing(source, { commandWithinMs: 300 }).forEncryption),
    );
    expect(problem.reason).toBe(`the key command ${process.execPath} did not end in time`);
  });

  it("are required", async () => {
    const opened = makeSqlStore({ url: "sqlite::memory:", keys: undefined });
    const error = await Effect.runPromise(Effect.flip(Effect.scoped(opened)));
    expect([error.code, error.message]).toEqual([
      "LOGIN_SQL_CONFIG_INVALID",
      "the key source of the store is not usable: there are none",
    ]);
  });
});

describe("a SQLite file", () => {
  it("is readable for its owner only", async () => {
    const path = join(folder, "owned.db");
    const keys = textKeys(keyLine("k1", 1));
    const load = Effect.flatMap(
      makeSqlStore({ url: `sqlite:${path}`, keys }),
      ({ store }) => store.load,
    );
    await Effect.runPromise(Effect.scoped(load));
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });
});
