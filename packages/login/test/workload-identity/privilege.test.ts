import * as Effect from "effect/Effect";
import { chownSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { loadConfig } from "../../src/config/index.ts";
import { temporaryFolder } from "../support/home.ts";
import { withManager } from "../manager/fixture.ts";
import { openFileIdentity } from "./fixture.ts";

const USER = 4242;
const isRoot = process.getuid?.() === 0;
const why = isRoot ? "" : " (skipped: needs root, to work as two users)";

describe.skipIf(!isRoot)(`root, with a config.toml of another user${why}`, () => {
  it.each([
    [
      "a file of root",
      (secret: string) => `source = "file"\ntoken_file = "${secret}"\n`,
      { federation_rule_id: "rule" },
      {},
    ],
    [
      "a variable of root",
      () => `source = "gitlab-ci"\ntoken_variable = "ROOTS_SECRET"\n`,
      { federation_rule_id: "rule" },
      { ROOTS_SECRET: "secret-of-root" },
    ],
    [
      "root's identity token, to a token endpoint of the user",
      () => "",
      {},
      { OPENAI_FEDERATION_RULE_ID: "rule", OPENAI_IDENTITY_TOKEN_FILE: "SECRET" },
    ],
  ])("sends no request with %s", async (_, lines, keys, env) => {
    const { authority, home } = await openFileIdentity();
    const secret = join(temporaryFolder(), "secret");
    writeFileSync(secret, "secret-of-root", { mode: 0o600 });
    const table = Object.entries(keys).map(([key, value]) => `${key} = "${value}"\n`);
    const path = join(home.path, "config.toml");
    writeFileSync(
      path,
      `[agent_auth.workload_identity]\ntoken_url = "${authority.url}/oauth/token"\n${lines(secret)}${table.join("")}`,
    );
    chownSync(path, USER, USER);
    chownSync(home.path, USER, USER);
    const variables = Object.fromEntries(
      Object.entries(env).map(([name, value]) => [name, value === "SECRET" ? secret : value]),
    );
    const error = await withManager({ home, env: variables }, (manager) =>
      Effect.flip(manager.current),
    );
    expect(error).toMatchObject({
      code: "LOGIN_IDENTITY_TOKEN_UNAVAILABLE",
      remedy: "fixEnvironment",
    });
    expect(error.message).toContain(`another user (uid ${USER}) controls ${path}`);
    expect(authority.requests).toEqual([]);
  });
});

describe("a relative token_file", () => {
  it.each([
    ["a name", "token", "token"],
    ["a folder below", "tokens/ci", "tokens/ci"],
    ["a folder above", "../token", "../token"],
  ])("starts in the folder of its config.toml: %s", async (_, written, expected) => {
    const home = join(temporaryFolder(), "home");
    mkdirSync(home);
    writeFileSync(
      join(home, "config.toml"),
      `[agent_auth.workload_identity]\nsource = "file"\ntoken_file = "${written}"\n`,
    );
    const config = await Effect.runPromise(
      loadConfig({ codexHome: { path: home, explicit: true }, systemFolder: "/nonexistent" }),
    );
    expect(config.workloadIdentity?.tokenFile).toBe(join(home, expected));
  });
});
