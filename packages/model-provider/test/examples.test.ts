import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { startTestAuthority } from "@agent-auth/test-authority";
import { describe, expect, it } from "vitest";
import { startGateway } from "./support/gateway.ts";
import { makeHome, signedIn, signIns } from "./support/sign-ins.ts";

const folder = join(import.meta.dirname, "examples");
const page = join(import.meta.dirname, "../../../docs/http-clients.md");

/** Runs an example in its own process, with this environment and no other. */
const run = async (name: string, env: Readonly<Record<string, string>>) => {
  const args = ["--conditions=@agent-auth/source", join(folder, name)];
  const options = { env: { PATH: process.env["PATH"] ?? "", ...env }, timeout: 30_000 };
  return promisify(execFile)(process.execPath, args, options).catch((error: unknown) => {
    if (error instanceof Error && "stderr" in error && "code" in error)
      return { stdout: "", stderr: String(error.stderr), code: error.code };
    throw error;
  });
};

describe("codex.ts", { timeout: 40_000 }, () => {
  it("is shown in docs/http-clients.md as it is tested", async () => {
    const program = await readFile(join(folder, "codex.ts"), "utf8");
    expect(await readFile(page, "utf8")).toContain(`\`\`\`ts\n${program}\`\`\``);
  });

  it("works behind a proxy", async () => {
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
