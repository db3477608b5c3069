import { describe, expect, it } from "@effect/vitest";
import * as Effect from "effect/Effect";
import * as Exit from "effect/Exit";
import * as Logger from "effect/Logger";
import * as Redacted from "effect/Redacted";
import fc from "fast-check";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { inspect } from "node:util";
import { type AuthDocument, parseAuthJson } from "../src/storage/auth-json/index.ts";
import { loadConfig } from "../src/config/index.ts";
import { layer } from "../src/storage/configured.ts";
import { type CredentialsStoreMode, CredentialStore } from "../src/storage/index.ts";
import { parseEnvironment } from "../src/config/environment.ts";
import { makeDispatcher } from "../src/http/index.ts";
import { temporaryFolder, temporaryHome } from "./support/home.ts";
import { locked } from "./support/lock.ts";

// Shaped like a key: an unknown auth_mode is named, unless it looks like a secret.
const canary = "sk-canary-e7b1";

/** Everything that a program could print of an outcome. */
const shown = (exit: Exit.Exit<unknown, unknown>): string => {
  const parts: Array<unknown> = [exit];
  if (Exit.isFailure(exit))
    for (const reason of exit.cause.reasons) {
      if (reason._tag === "Fail") parts.push(reason.error);
      if (reason._tag === "Die") parts.push(reason.defect);
    }
  const texts = parts.flatMap((part) => [
    inspect(part, { depth: 20, showHidden: true }),
    String(part),
    JSON.stringify(part),
    part instanceof Error ? `${part.stack} ${part.message} ${inspect(part.cause)}` : "",
  ]);
  return texts.join("\n");
};

const document = {
  auth_mode: "chatgpt",
  OPENAI_API_KEY: canary,
  tokens: {
    id_token: `${canary}.b.c`,
    access_token: canary,
    refresh_token: canary,
    oauth_provenance: { issuer: "https://issuer", client_id: "app" },
    account_id: "acc",
  },
  last_refresh: "2026-04-13T12:00:00Z",
  agent_identity: { agent_runtime_id: "r", agent_private_key: canary, account_id: "a" },
  personal_access_token: canary,
  from_the_future: [{ secret: canary }, 1e5, null],
};

/** A text with some of its characters dropped, doubled or replaced. */
const damaged = (text: string): fc.Arbitrary<string> =>
  fc
    .array(
      fc.record({
        at: fc.nat(text.length - 1),
        drop: fc.nat(12),
        insert: fc.constantFrom("", '"', "{", "}", "[", ",", ":", "\\", "\n", "=", "'''", "1"),
      }),
      { minLength: 1, maxLength: 4 },
    )
    .map((edits) =>
      edits.reduce(
        (damaged, { at, drop, insert }) => damaged.slice(0, at) + insert + damaged.slice(at + drop),
        text,
      ),
    );

/** Every copy of a value in which one part, or the whole, is replaced. */
const replaced = (value: unknown, by: unknown): ReadonlyArray<unknown> =>
  typeof value !== "object" || value === null || Array.isArray(value)
    ? [by]
    : [
        by,
        ...Object.entries(value).flatMap(([key, inner]) =>
          replaced(inner, by).map((it) => ({ ...value, [key]: it })),
        ),
      ];

describe("no secret is shown", () => {
  it("by a refusal of a damaged auth.json, over 10,000 of them", () => {
    let refusals = 0;
    const text = JSON.stringify(document, null, 2);
    fc.assert(
      fc.property(damaged(text), (damagedText) => {
        const exit = Effect.runSyncExit(parseAuthJson(damagedText));
        // What still parses may hold the secret in the place of an id, and is a good document.
        if (Exit.isSuccess(exit)) return;
        refusals++;
        expect(shown(exit)).not.toContain(canary);
      }),
      { numRuns: 10_000 },
    );
    expect(refusals).toBeGreaterThan(5_000);
  });

  it("by a refusal of each key of auth.json with a value of the wrong type", () => {
    const wrong = [canary, [canary], { [canary]: canary }, { x: canary }, true, 17];
    const variants = wrong.flatMap((by) => replaced(document, by));
    const exits = variants.map((it) => Effect.runSyncExit(parseAuthJson(JSON.stringify(it))));
    // Names and ids are not secrets; a document with the canary as an id is valid.
    const failures = exits.filter((exit) => Exit.isFailure(exit));
    expect(failures.length).toBeGreaterThan(50);
    for (const failure of failures) expect(shown(failure)).not.toContain(canary);
  });

  it.live("by a refusal of a damaged config.toml", () =>
    Effect.gen(function* () {
      const codexHome = temporaryHome();
      const toml = `model_provider = "acme"\n[model_providers.acme]\nname = "Acme"\nexperimental_bearer_token = "${canary}"\nhttp_headers = { X-Key = "${canary}" }\nauth = { command = "x", args = ["${canary}"] }\n`;
      for (const text of fc.sample(damaged(toml), 2_000)) {
        writeFileSync(join(codexHome.path, "config.toml"), text);
        const exit = yield* Effect.exit(loadConfig({ codexHome }));
        // Arguments of a command are not our secrets: they are in the process list.
        const safe = Exit.isSuccess(exit) ? "" : shown(exit);
        expect(safe).not.toContain(canary);
      }
      for (const override of [
        `experimental=${canary}`,
        `model_provider=["${canary}"]`,
        `model_providers.a=${canary}`,
      ])
        expect(
          shown(
            yield* Effect.exit(loadConfig({ codexHome: temporaryHome(), overrides: [override] })),
          ),
        ).not.toContain(canary);
    }),
  );

  it.live("by stores in any failure, nor in their log", () =>
    Effect.gen(function* () {
      const secret: AuthDocument = yield* parseAuthJson(JSON.stringify(document));
      const lines: Array<unknown> = [];
      const logger = Logger.make((line) => void lines.push(line, line.message, line.cause));
      const spoil: ReadonlyArray<(file: string) => void> = [
        () => undefined,
        (file) => mkdirSync(file),
        (file) => writeFileSync(file, JSON.stringify(document).slice(0, -1)),
        (file) => writeFileSync(file, JSON.stringify(document), { mode: 0o400 }),
      ];
      const modes: ReadonlyArray<CredentialsStoreMode> = ["file", "keyring", "auto", "ephemeral"];
      let failures = 0;
      for (const mode of modes)
        for (const prepare of spoil) {
          const codexHome = temporaryHome();
          prepare(join(codexHome.path, "auth.json"));
          const operations = Effect.gen(function* () {
            const store = yield* CredentialStore;
            const exits: ReadonlyArray<Exit.Exit<unknown, unknown>> = [
              yield* Effect.exit(store.load),
              yield* Effect.exit(locked(store.save(secret))),
              yield* Effect.exit(store.load),
              yield* Effect.exit(store.checkWritable),
              yield* Effect.exit(locked(store.remove())),
            ];
            failures += exits.filter((exit) => Exit.isFailure(exit)).length;
            return [...exits.map(shown), inspect(store, { depth: 9, showHidden: true })];
          });
          const texts = yield* operations.pipe(
            Effect.withSpan("a program's own span"),
            Effect.provide(layer({ mode, codexHome })),
            Effect.provide(Logger.layer([logger])),
          );
          expect(texts.join("\n")).not.toContain(canary);
        }
      expect(failures).toBeGreaterThan(10);
      expect(inspect(lines, { depth: 9 })).not.toContain(canary);
    }),
  );

  it.live("by settings of the network", () =>
    Effect.gen(function* () {
      const bundle = join(temporaryFolder(), "roots.pem");
      writeFileSync(bundle, `-----BEGIN CERTIFICATE-----\n${canary}\n-----END CERTIFICATE-----\n`);
      for (const [code, variables] of [
        ["LOGIN_PROXY_UNUSABLE", { HTTP_PROXY: `http://ada:${canary}@a b` }],
        ["LOGIN_PROXY_UNUSABLE", { HTTPS_PROXY: `ftp://ada:${canary}@x` }],
        ["LOGIN_CA_BUNDLE_UNUSABLE", { SSL_CERT_FILE: bundle }],
      ] as const) {
        const environment = parseEnvironment(variables, { homeDir: "/nowhere" });
        const exit = yield* Effect.exit(Effect.scoped(makeDispatcher(environment)));
        expect(yield* Effect.flip(exit)).toMatchObject({ code });
        expect(shown(exit)).not.toContain(canary);
      }
    }),
  );

  it("would be found by the check if there were one", () => {
    expect(shown(Exit.fail(new Error(canary)))).toContain(canary);
    expect(shown(Exit.die({ value: Redacted.value(Redacted.make(canary)) }))).toContain(canary);
  });
});
