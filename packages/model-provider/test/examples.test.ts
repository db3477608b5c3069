import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { startTestAuthority, type TestAuthority } from "@agent-auth/test-authority";
import { describe, expect, it } from "vitest";
import { startGateway } from "./support/gateway.ts";
import { makeHome, signedIn, signIns } from "./support/sign-ins.ts";

const folder = join(import.meta.dirname, "examples");
const readme = join(import.meta.dirname, "../README.md");
const front = join(import.meta.dirname, "../../../README.md");
const page = join(import.meta.dirname, "../../../docs/http-clients.md");

/** Runs an example in a process of its own, with this environment and no other. */
const run = async (name: string, env: Readonly<Record<string, string>>) => {
  const args = ["--conditions=@agent-auth/source", join(folder, name)];
  const options = { env: { PATH: process.env["PATH"] ?? "", ...env }, timeout: 30_000 };
  return promisify(execFile)(process.execPath, args, options).catch((error: unknown) => {
    if (error instanceof Error && "stderr" in error && "code" in error)
      return { stdout: "", stderr: String(error.stderr), code: error.code };
    throw error;
  });
};

const agent = async (authority: TestAuthority, home: string) => ({
  CODEX_HOME: home,
  CODEX_ACCESS_TOKEN: await authority.mintAgentIdentityJwt(),
});

describe.concurrent("examples", { timeout: 40_000 }, () => {
  it.each([
    ["the front page", front, ["fetch.ts"]],
    ["README.md", readme, ["fetch.ts", "openai.ts", "ai-sdk.ts"]],
    [
      "docs/http-clients.md",
      page,
      [
        "openai.ts",
        "ai-sdk.ts",
        "undici.ts",
        "effect.ts",
        "own-client.ts",
        "websocket.ts",
        "codex.ts",
      ],
    ],
  ])("stand in %s as they are tested", async (_name, path, names) => {
    const text = await readFile(path, "utf8");
    const shown = [...text.matchAll(/```ts\n([^]*?)```/g)].map((found) => found[1]);
    const files = await Promise.all(names.map((name) => readFile(join(folder, name), "utf8")));
    expect(shown).toEqual(files);
  });

  it.each([
    ["fetch.ts", /^200 \{.*"status":"completed"/],
    ["openai.ts", /^four$/],
    ["ai-sdk.ts", /^four$/],
    ["undici.ts", /^200 \{/],
    ["effect.ts", /^200 \{/],
    ["own-client.ts", /^200$/m],
    ["websocket.ts", /^four$/],
  ])("%s does what it shows", async (name, output) => {
    await using authority = await startTestAuthority({ settings: { replyText: "four" } });
    await using home = await makeHome(authority);
    const { stdout, stderr } = await run(name, await agent(authority, home.path));
    expect({ stdout, stderr }).toEqual({ stdout: expect.stringMatching(output), stderr: "" });
  });

  it.each(["fetch.ts", "effect.ts"])("%s says in one line what is wrong", async (name) => {
    await using authority = await startTestAuthority();
    await using home = await makeHome(authority);
    const outcome = await run(name, { CODEX_HOME: home.path });
    expect(outcome).toMatchObject({ code: 1, stdout: "" });
    expect(outcome.stderr).toMatch(
      /^model provider "openai" needs a signed-in account, and there is none.*\n$/,
    );
    expect(authority.requests).toEqual([]);
  });

  it("codex.ts does what it shows, behind a proxy", async () => {
    await using authority = await startTestAuthority({ settings: { replyText: "four" } });
    const signIn = signIns.find(({ name }) => name === "an agent identity JWT");
    if (signIn === undefined) throw new Error("the list of sign-ins changed");
    await using session = await signedIn(authority, signIn);
    await using gateway = await startGateway(session.client.fetch);
    await using home = await makeHome(authority);
    const { stdout } = await run("codex.ts", {
      AGENT_AUTH_PROXY: gateway.url,
      CODEX_HOME: home.path,
      HOME: home.path,
    });
    expect(stdout).toBe("four\n");
  });
});
