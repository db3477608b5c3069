/**
 * The oldest supported Node prints an ExperimentalWarning when node:sqlite is loaded. No command may let it reach stderr.
 * `npm run packaging` checks the same with the packed tarballs, and installs that Node.
 */
import { spawn, spawnSync } from "node:child_process";
import { startTestAuthority } from "@agent-auth/test-authority";
import { describe, expect, it } from "vitest";
import { chatgptSignIn } from "./support/chatgpt-sign-in.ts";
import { binary, CliHome, ended } from "./support/cli.ts";

const node = process.env["AGENT_AUTH_NODE_22"] ?? "";
const has22 =
  node !== "" && spawnSync(node, ["--version"], { encoding: "utf8" }).stdout.startsWith("v22.");
const why = has22 ? "" : " (skipped: AGENT_AUTH_NODE_22 is not the path of a Node 22)";

describe.skipIf(!has22)(`on Node 22${why}`, () => {
  it("login, login status, token, a refresh and logout print no warning of Node", async () => {
    await using authority = await startTestAuthority();
    await using home = await CliHome.make(`chatgpt_base_url = "${authority.chatgptBaseUrl}"\n`);
    const run = (words: ReadonlyArray<string>) =>
      ended(spawn(node, [binary, ...words], { env: home.env(), stdio: ["pipe", "pipe", "pipe"] }), {
        stdin: "sk-proj-1234567890ABCDE",
      });
    const printed = [await run(["login", "--with-api-key"]), await run(["login", "status"])];
    printed.push(await run(["token"]), await run(["logout"]));
    const tokens = await authority.mintChatgptTokens({ expiresInSeconds: -60 });
    await home.writeAuth(chatgptSignIn(authority, tokens));
    printed.push(await run(["token"]), await run(["logout"]));
    expect(printed.map(({ exitCode }) => exitCode)).toEqual([0, 0, 0, 0, 0, 0]);
    expect(printed.map(({ stderr }) => stderr).join("")).not.toContain("Warning");
    expect(authority.count("refresh")).toBe(1);
  });
});
