import { expect, it } from "vitest";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import * as Option from "effect/Option";
import { readdirSync } from "node:fs";
import { layer } from "../src/storage/configured.ts";
import { CredentialStore } from "../src/storage/index.ts";
import { credentialStoreContract } from "./support/credential-store.contract.ts";
import { temporaryHome } from "./support/home.ts";
import { locked } from "./support/lock.ts";
import { program, start } from "./support/start-program.ts";

credentialStoreContract("file", "File");
credentialStoreContract("ephemeral", "Ephemeral");

it("the auto store uses the file, with a warning, if no native package is installed", async () => {
  const { path } = temporaryHome();
  const { stdout, stderr } = await start(program("without-natives", path)).ended;
  expect(stderr).toBe("");
  const warning = expect.stringContaining("@napi-rs/keyring is not installed for this platform");
  const [logged, outcome = ""] = stdout.trim().split("\n");
  expect(logged).toContain("Codex's lock is not taken, because the optional package koffi is not");
  expect(JSON.parse(outcome)).toEqual({
    _tag: "File",
    file: `{\n  "OPENAI_API_KEY": "sk-1"\n}`,
    found: true,
    removed: true,
    warnings: [warning, warning, warning],
  });
  expect(readdirSync(path)).toEqual(["agent-auth.lock"]);
});

it("two ephemeral stores of one folder share nothing", async () => {
  const stores = Layer.fresh(layer({ mode: "ephemeral", codexHome: temporaryHome() }));
  const save = locked(CredentialStore.use((store) => store.save({})));
  const load = CredentialStore.use((store) => store.load);
  await Effect.runPromise(Effect.provide(save, stores));
  expect(Option.isNone(await Effect.runPromise(Effect.provide(load, stores)))).toBe(true);
  const both = Effect.provide(Effect.andThen(save, load), stores);
  expect(Option.isSome(await Effect.runPromise(both))).toBe(true);
});
