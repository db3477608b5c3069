/** The built command line, run by Bun and Deno instead of Node. docs/runtimes.md says what else is tested on them. */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { startTestAuthority } from "@agent-auth/test-authority";
import { otherRuntimes, why } from "@agent-auth/tools/runtimes";
import { request } from "undici";
import { describe, expect, it } from "vitest";
import { chatgptSignIn } from "./support/chatgpt-sign-in.ts";
import { binary, CliHome, ended } from "./support/cli.ts";

const question = '{"model":"gpt-5","input":"Say hello.","stream":true}';

describe.each(
  otherRuntimes.map((runtime) => ({ ...runtime, title: `${runtime.name}${why(runtime)}` })),
)("the command line on $title", (runtime) => {
  const start = (home: CliHome, words: ReadonlyArray<string>, env = {}) =>
    spawn(runtime.command, [...runtime.words, binary, ...words], {
      env: home.env(env),
      stdio: ["pipe", "pipe", "pipe"],
    });
  const open = async () => {
    const authority = await startTestAuthority({ settings: { replyText: "four" } });
    const home = await CliHome.make(
      `chatgpt_base_url = "${authority.chatgptBaseUrl}"\nopenai_base_url = "${authority.openaiBaseUrl}"\n`,
    );
    return {
      authority,
      home,
      run: (words: ReadonlyArray<string>, stdin = "") => ended(start(home, words), { stdin }),
      [Symbol.asyncDispose]: async () => {
        await home[Symbol.asyncDispose]();
        await authority.close();
      },
    };
  };

  it.skipIf(runtime.missing !== undefined)(
    "signs an agent in, sends a request, and signs out",
    async () => {
      await using opened = await open();
      const { authority, run } = opened;
      const login = await run(
        ["login", "--with-agent-identity"],
        await authority.mintAgentIdentityJwt(),
      );
      expect([login.exitCode, login.stderr]).toEqual([
        0,
        expect.stringContaining("Successfully logged in"),
      ]);
      const status = await run(["login", "status", "--json"]);
      expect(JSON.parse(status.stdout)).toMatchObject({ loggedIn: true, method: "agentIdentity" });
      const response = await run(["api", "responses", "-d", question]);
      expect([response.exitCode, response.stdout, response.stderr]).toEqual([
        0,
        expect.stringContaining("event: response.completed"),
        "",
      ]);
      expect((await run(["logout"])).exitCode).toBe(0);
    },
  );

  it.skipIf(runtime.missing !== undefined)(
    "refreshes tokens that have expired, and runs a program",
    async () => {
      await using opened = await open();
      const { authority, home, run } = opened;
      const tokens = await authority.mintChatgptTokens({ expiresInSeconds: -60 });
      await home.writeAuth(chatgptSignIn(authority, tokens));
      const { exitCode, stdout, stderr } = await run(["token"]);
      expect([exitCode, stderr]).toEqual([0, ""]);
      expect(stdout).not.toContain(tokens.accessToken);
      expect(authority.count("refresh")).toBe(1);
      const child = await run(["exec", "--", "sh", "-c", "echo $CODEX_HOME; exit 3"]);
      expect(child).toMatchObject({ exitCode: 3, stdout: `${home.path}\n` });
    },
  );

  it.skipIf(runtime.missing !== undefined)("serves a proxy until SIGTERM", async () => {
    await using opened = await open();
    const { authority, home } = opened;
    const CODEX_AGENT_IDENTITY = await authority.mintAgentIdentityJwt();
    const child = start(home, ["proxy"], { CODEX_AGENT_IDENTITY });
    const exit = ended(child);
    const line = await createInterface({ input: child.stdout })[Symbol.asyncIterator]().next();
    const headers = { "content-type": "application/json" };
    const response = await request(`${line.value}/responses`, {
      method: "POST",
      headers,
      body: question,
    });
    expect(await response.body.text()).toContain("response.completed");
    child.kill("SIGTERM");
    expect(await exit).toMatchObject({ exitCode: 0 });
  });

  it.skipIf(runtime.missing !== undefined)("doctor names the runtime", async () => {
    await using opened = await open();
    const { stdout, stderr } = await opened.run(["doctor"]);
    expect(stderr).toBe("");
    expect(stdout).toMatch(new RegExp(`^ok +program +agent-auth \\S+, ${runtime.name} \\d`));
    expect(stdout).toMatch(/^ok +lock +can be taken$/m);
  });
});
