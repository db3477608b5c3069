import { expect, it } from "vitest";
import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import { mkdirSync, readdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { layer } from "../src/storage/configured.ts";
import { CredentialStore } from "../src/storage/index.ts";
import { credentialStoreContract } from "./support/credential-store.contract.ts";
import { temporaryFolder, temporaryHome } from "./support/home.ts";
import { program, start } from "./support/programs.ts";

credentialStoreContract("file", "File");
credentialStoreContract("ephemeral", "Ephemeral");

it("the auto store keeps to the file, with a warning, where no native package is installed", async () => {
  const { path } = temporaryHome();
  const { stdout, stderr } = await start(program("without-natives", path)).ended;
  expect(stderr).toBe("");
  const warning = expect.stringContaining("@napi-rs/keyring is not installed for this platform");
  expect(JSON.parse(stdout)).toEqual({
    _tag: "File",
    file: `{\n  "OPENAI_API_KEY": "sk-1"\n}`,
    found: true,
    removed: true,
    warnings: [warning, warning, warning],
  });
  expect(readdirSync(path)).toEqual(["agent-auth.lock"]);
});

const openEphemeral = (path: string) =>
  Effect.provide(
    CredentialStore,
    layer({ mode: "ephemeral", codexHome: { path, explicit: false } }),
  );

it("the ephemeral store knows a folder by its real path, also before it is made", async () => {
  const folder = temporaryFolder();
  const link = join(temporaryFolder(), "link");
  symlinkSync(folder, link);
  const first = await Effect.runPromise(openEphemeral(join(link, ".codex")));
  await Effect.runPromise(first.save({}));
  mkdirSync(join(folder, ".codex"));
  for (const path of [join(link, ".codex"), join(folder, ".codex")]) {
    const store = await Effect.runPromise(openEphemeral(path));
    expect(Option.isSome(await Effect.runPromise(store.load))).toBe(true);
  }
});
