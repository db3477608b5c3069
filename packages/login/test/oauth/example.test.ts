import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { layer as managerLayer } from "@agent-auth/login/manager";
import { loadConfig } from "@agent-auth/login/config";
import { parseEnvironment } from "@agent-auth/login/config/environment";
import { layer as httpClient } from "@agent-auth/login/http";
import { startTestAuthority } from "@agent-auth/test-authority";
import { assert, describe, it } from "@effect/vitest";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import * as errors from "../../src/errors/oauth.ts";
import { signIn } from "./example.ts";
import { decideInBrowser } from "./support/memory-authority.ts";

const docs = join(import.meta.dirname, "../../../../docs/sign-in.md");

describe("docs/sign-in.md", () => {
  it("prints the program that is tested here", async () => {
    const page = await readFile(docs, "utf8");
    const program = await readFile(join(import.meta.dirname, "example.ts"), "utf8");
    assert.include(page, `\`\`\`ts\n${program}\`\`\``);
  });

  it("names every error code of a sign-in", async () => {
    const page = await readFile(docs, "utf8");
    const codes = Object.values(errors).map((Class) => Reflect.construct(Class, [{}]).code);
    assert.isAbove(codes.length, 10);
    for (const code of codes) assert.include(page, `\`${code}\``);
  });

  const setting = Effect.gen(function* () {
    const authority = yield* Effect.acquireRelease(
      Effect.promise(() => startTestAuthority()),
      (running) => Effect.promise(() => running.close()),
    );
    const home = yield* Effect.acquireRelease(
      Effect.promise(() => mkdtemp(join(tmpdir(), "sign-in-example-"))),
      (folder) => Effect.promise(() => rm(folder, { recursive: true })),
    );
    const environment = parseEnvironment({ CODEX_HOME: home }, { homeDir: home });
    const config = yield* loadConfig({ codexHome: environment.codexHome, overrides: [] });
    const manager = managerLayer({
      codexHome: home,
      environment,
      config,
      environmentCredentials: false,
    });
    return { authority, home, layer: Layer.merge(manager, httpClient(environment)) };
  });

  it.live("signs in and saves", () =>
    Effect.gen(function* () {
      const { authority, home, layer } = yield* setting;
      const said = yield* signIn({
        issuer: authority.issuer,
        ports: [0],
        successPageTimeoutMs: 20,
        onAuthorizeUrl: () => Effect.void,
        openBrowser: (link) => decideInBrowser(authority, link),
      }).pipe(Effect.provide(layer));
      const { accountId } = authority.account;
      assert.strictEqual(said, `signed in to ${accountId}`);
      const saved = yield* Effect.promise(() => readFile(join(home, "auth.json"), "utf8"));
      assert.include(saved, accountId);
    }).pipe(Effect.scoped),
  );

  it.live("opens nothing if the tokens could not be saved", () =>
    Effect.gen(function* () {
      const { authority, home, layer } = yield* setting;
      const file = join(home, "auth.json");
      yield* Effect.promise(() => writeFile(file, "{}", { mode: 0o400 }));
      let shown = "nothing";
      const said = yield* signIn({
        issuer: authority.issuer,
        ports: [0],
        onAuthorizeUrl: ({ url }) => Effect.sync(() => void (shown = url)),
      }).pipe(Effect.provide(layer));
      assert.strictEqual(shown, "nothing");
      assert.match(said, /^cannot save credentials in .*\[LOGIN_STORE_UNWRITABLE\]/);
    }).pipe(Effect.scoped),
  );

  it.live("reports a failure", () =>
    Effect.gen(function* () {
      const { authority, layer } = yield* setting;
      const said = yield* signIn({
        issuer: authority.issuer,
        ports: [0],
        onAuthorizeUrl: () => Effect.void,
        openBrowser: (link) => decideInBrowser(authority, link, { decision: "deny" }),
      }).pipe(Effect.provide(layer));
      assert.strictEqual(
        said,
        "the sign-in was denied [LOGIN_AUTHORIZATION_DENIED] Start the sign-in again to allow access.",
      );
    }).pipe(Effect.scoped),
  );
});
