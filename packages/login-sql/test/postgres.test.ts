import { readFileSync } from "node:fs";
import { join } from "node:path";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { startTestAuthority } from "@agent-auth/test-authority";
import { createAuthManager, isLoginError } from "@agent-auth/login/promises";
import { missingPostgres, type Postgres, startPostgres } from "@agent-auth/tools/postgres";
import { missingPgbouncer, type Pgbouncer, startPgbouncer } from "@agent-auth/tools/pgbouncer";
import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import * as Redacted from "effect/Redacted";
import * as Stream from "effect/Stream";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeSqlStore, migrateSqlStore, type SqlStoreOptions } from "../src/index.ts";
import { openSqlStore } from "../src/promises/index.ts";
import { keyLine, quick, textKeys } from "./support/databases.ts";
import { run } from "./support/run.ts";

const apiKey = { authMode: "apikey", openaiApiKey: Redacted.make("sk-1") } as const;

const open = (url: string, options: Partial<SqlStoreOptions> = {}) =>
  makeSqlStore({ ...quick, url, ...options });

if (missingPgbouncer !== undefined) console.warn(`skipped with a pooler: ${missingPgbouncer}`);

describe.skipIf(missingPostgres !== undefined)("a Postgres server", () => {
  let server: Postgres;
  beforeAll(async () => {
    server = await startPostgres({ tls: selfSigned() });
  });
  afterAll(() => server[Symbol.asyncDispose]());

  const as = (role: string, database: string) =>
    `postgres://${role}@127.0.0.1:${server.port}/${database}`;

  it("needs of a program's role what docs/many-hosts.md grants, and shows it its own row only", () =>
    run(
      Effect.gen(function* () {
        server.createDatabase("roles");
        yield* migrateSqlStore(server.url("roles"));
        for (const role of ["agents", "others"])
          server.sql(
            rolesOfDocs()
              .replaceAll("agents", role)
              .replace(/^(ALTER TABLE|CREATE POLICY).*$/gm, role === "agents" ? "$&" : ""),
            "roles",
          );
        const mine = yield* open(`${as("agents", "roles")}?sign_in=agents`, { migrate: false });
        yield* mine.store.save(apiKey);
        yield* Effect.scoped(Effect.flatMap(mine.lock.acquire, ({ confirm }) => confirm));
        yield* mine.lock.recordOutcome('{"id":"1"}');
        yield* mine.store.checkWritable;
        expect(yield* mine.reencrypt).toBe(false);
        expect(yield* mine.store.remove()).toBe(true);
        yield* mine.store.save(apiKey);

        const theirs = yield* open(`${as("others", "roles")}?sign_in=agents`, { migrate: false });
        expect(yield* theirs.store.load).toEqual(Option.none());
        const refused = yield* Effect.flip(theirs.store.save(apiKey));
        expect(refused.message).toContain("the role lacks a privilege");
        for (const statement of [
          "DELETE FROM agent_auth_document",
          "DROP TABLE agent_auth_document",
        ])
          expect(() => server.sql(`SET ROLE agents; ${statement}`, "roles")).toThrow(
            /permission denied|must be owner/,
          );
      }),
    ));

  it("says what to do if the tables are missing and the role may not create them", () =>
    run(
      Effect.gen(function* () {
        server.createDatabase("empty");
        server.sql("CREATE ROLE poor LOGIN");
        for (const migrate of [true, false]) {
          const { store } = yield* open(as("poor", "empty"), { migrate });
          const error = yield* Effect.flip(store.load);
          expect([error._tag, error.hint]).toEqual([
            "StoreUnreadable",
            migrate
              ? "Create the tables as their owner (migrateSqlStore), and grant this role SELECT, INSERT and UPDATE. If a policy limits the role to one row, add sign_in to the URL."
              : "Run migrateSqlStore once as a role that may create tables.",
          ]);
        }
      }),
    ));

  it.each([
    ["that follows the store, as in docs/many-hosts.md", "followStore: true"],
    ["that does not", "followStore: false"],
  ])(
    "closes with a manager %s, although nothing else keeps the process alive",
    async (_, option) => {
      server.createDatabase(`closing_${option.endsWith("true")}`);
      const url = server.url(`closing_${option.endsWith("true")}`);
      const program = `
      import { createAuthManager } from "@agent-auth/login/promises";
      import { openSqlStore } from "@agent-auth/login-sql/promises";
      import * as Redacted from "effect/Redacted";
      {
        const keys = { _tag: "Text", keys: Redacted.make(${JSON.stringify(keyLine("k1", 1))}) };
        await using store = openSqlStore(${JSON.stringify(url)}, { keys });
        const options = { storage: store.storage, environmentCredentials: false, variables: {} };
        await using manager = createAuthManager({ ...options, ${option} });
        await manager.loginWithApiKey("sk-1");
      }
      console.log("closed");`;
      const child = spawn(
        process.execPath,
        ["--conditions=@agent-auth/source", "--input-type=module", "-e", program],
        { cwd: import.meta.dirname, stdio: ["ignore", "pipe", "inherit"] },
      );
      child.stdout.setEncoding("utf8");
      const [[exitCode], ...printed] = await Promise.all([
        once(child, "close"),
        child.stdout.reduce((text: string, chunk: string) => text + chunk, ""),
      ]);
      expect([exitCode, ...printed]).toEqual([0, "closed\n"]);
    },
  );

  it("is verified by default if it is not on this host", () =>
    run(
      Effect.gen(function* () {
        const certificate = join(server.folder, "server.crt");
        const url = `postgres://postgres@localhost:${server.port}/postgres`;
        const isLoaded = (parameters: string) =>
          Effect.flatMap(open(`${url}?${parameters}`), ({ store }) =>
            Effect.match(store.load, {
              onFailure: ({ message }) => message,
              onSuccess: () => "loaded",
            }),
          );
        const untrusted = `the credential store localhost:${server.port}/postgres is not available (load): the server's certificate is not trusted (DEPTH_ZERO_SELF_SIGNED_CERT)`;
        expect(yield* isLoaded("sslmode=verify-full")).toBe(untrusted);
        expect(yield* isLoaded("sslmode=verify-ca")).toBe(untrusted);
        expect(yield* isLoaded("sslmode=require")).toBe("loaded");
        expect(yield* isLoaded(`sslmode=verify-full&sslrootcert=${certificate}`)).toBe("loaded");
        const byAddress = url.replace("localhost", "127.0.0.1");
        const wrongName = yield* open(
          `${byAddress}?sslmode=verify-full&sslrootcert=${certificate}`,
        );
        expect((yield* Effect.flip(wrongName.store.load)).message).toContain(
          "ERR_TLS_CERT_ALTNAME_INVALID",
        );
        const anyName = yield* open(`${byAddress}?sslmode=verify-ca&sslrootcert=${certificate}`);
        expect(yield* anyName.store.load).toEqual(Option.none());
      }),
    ));

  it("reaches a program that polls as well", () =>
    run(
      Effect.gen(function* () {
        const one = yield* open(server.url());
        const other = yield* open(`${server.url()}?notify=poll`);
        yield* one.store.save(apiKey);
        yield* one.store.save(apiKey);
        expect(Option.isSome(yield* other.store.load)).toBe(true);
      }),
    ));

  it("may be down: a credential in memory is used, nothing is spent, and refreshes continue when it is back", async () => {
    await using authority = await startTestAuthority();
    await using database = await startPostgres();
    await using store = openSqlStore(database.url(), {
      keys: textKeys(keyLine("k1", 1)),
      statementTimeoutMs: 1_000,
    });
    const options = {
      environmentCredentials: false,
      variables: { CODEX_REFRESH_TOKEN_URL_OVERRIDE: `${authority.issuer}/oauth/token` },
      configOverrides: [`chatgpt_base_url="${authority.chatgptBaseUrl}"`],
    };
    await using manager = createAuthManager({
      ...options,
      storage: store.storage,
      followStore: true,
    });
    await manager.loginWithChatgptTokens(
      await authority.mintChatgptTokens({ expiresInSeconds: 3600 }),
    );
    const before = await manager.current();
    await database.stop("immediate");

    await manager.reload().catch(() => null);
    expect(await manager.current()).toEqual(before);
    await using starting = createAuthManager({ ...options, storage: store.storage });
    const failure = await starting.current().catch((error: unknown) => error);
    expect(isLoginError(failure) && [failure.code, failure.remedy]).toEqual([
      "LOGIN_STORE_UNAVAILABLE",
      "retry",
    ]);
    const refresh = await manager.refresh("forced").catch((error: unknown) => error);
    expect(isLoginError(refresh) && refresh.code).toBe("LOGIN_STORE_UNAVAILABLE");
    expect(authority.count("refresh")).toBe(0);

    await database.start();
    await manager.refresh("forced");
    expect(authority.count("refresh")).toBe(1);
    expect((await starting.reload())?._tag).toBe("Chatgpt");
  });

  describe.skipIf(missingPgbouncer !== undefined)("pgbouncer that pools transactions", () => {
    let pooler: Pgbouncer;
    beforeAll(async () => {
      pooler = await startPgbouncer(server);
    });
    afterAll(() => pooler[Symbol.asyncDispose]());

    it("may be in front: tables are created, and ten programs refresh once", async () => {
      await using authority = await startTestAuthority({ settings: { punishReuse: true } });
      await using resources = new AsyncDisposableStack();
      const openManager = () => {
        const store = resources.use(openSqlStore(`${pooler.url("postgres")}?notify=poll`, quick));
        return resources.use(
          createAuthManager({
            environmentCredentials: false,
            variables: { CODEX_REFRESH_TOKEN_URL_OVERRIDE: `${authority.issuer}/oauth/token` },
            configOverrides: [`chatgpt_base_url="${authority.chatgptBaseUrl}"`],
            storage: store.storage,
          }),
        );
      };
      const expired = await authority.mintChatgptTokens({ expiresInSeconds: -10 });
      await openManager().loginWithChatgptTokens(expired);
      const managers = Array.from({ length: 10 }, openManager);
      const credentials = await Promise.all(managers.map((manager) => manager.current()));
      const tags = new Set(credentials.map((credential) => credential?._tag));
      expect([...tags]).toEqual(["Chatgpt"]);
      expect(authority.count("refresh")).toBe(1);
    });

    it.each([
      ["that polls notices a change", "?notify=poll"],
      ["that listens notices that LISTEN does not work, and polls", ""],
    ])("a program behind it %s", (_title, parameters) =>
      run(
        Effect.gen(function* () {
          const database = server.createDatabase().split("/").at(-1) ?? "";
          const writer = yield* open(`${pooler.url(database)}?notify=poll`);
          const reader = yield* open(`${pooler.url(database)}${parameters}`);
          yield* writer.store.save(apiKey);
          yield* reader.store.load;
          const write = Effect.forever(Effect.delay(writer.store.save(apiKey), 500));
          yield* Effect.forkScoped(write);
          // The first element only says that the program begins to follow.
          const changes = Stream.take(reader.store.changes ?? Stream.empty, 3);
          const seen = yield* Effect.timeout(Stream.runCollect(changes), 15_000);
          expect(seen).toHaveLength(3);
        }),
      ),
    );
  });
});

/** The statements in the section about roles. */
const rolesOfDocs = (): string => {
  const page = readFileSync(join(import.meta.dirname, "../../../docs/many-hosts.md"), "utf8");
  return page.split("```sql\n")[1]?.split("```")[0] ?? "";
};

/** A certificate for `localhost`, and its key. */
const selfSigned = () => {
  const { stdout } = spawnSync(
    "openssl",
    "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost -keyout - -out -".split(
      " ",
    ),
    { encoding: "utf8" },
  );
  const blocks = stdout.match(/-----BEGIN [^]+?-----END [A-Z ]+-----\n/g) ?? [];
  const block = (name: string) => blocks.find((it) => it.includes(name)) ?? "";
  return { certificate: block("CERTIFICATE"), key: block("PRIVATE KEY") };
};
