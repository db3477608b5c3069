import { expect, it } from "vitest";
import { readdirSync } from "node:fs";
import { credentialStoreContract } from "./support/credential-store.contract.ts";
import { temporaryHome } from "./support/home.ts";
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
