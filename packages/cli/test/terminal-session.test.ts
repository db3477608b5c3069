import { startTestAuthority, type TestAuthority } from "@agent-auth/test-authority";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CliHome } from "./support/cli.ts";
import { hasTmux, Terminal } from "./support/terminal.ts";

let authority: TestAuthority;
beforeAll(async () => {
  authority = await startTestAuthority();
});
afterAll(() => authority.close());

const key = "sk-proj-1234567890ABCDE";
const codexHome = () =>
  CliHome.make(
    `chatgpt_base_url = "${authority.chatgptBaseUrl}"\nopenai_base_url = "${authority.openaiBaseUrl}"\n`,
  );

describe.skipIf(!hasTmux)("in a terminal", { timeout: 30_000 }, () => {
  it.each([
    ["--with-api-key", "the API key", "printenv OPENAI_API_KEY | agent-auth login --with-api-key"],
    [
      "--with-agent-identity",
      "the access token",
      "agent-auth login --with-agent-identity < agent.jwt",
    ],
    ["--with-access-token", "the access token", "agent-auth login --with-access-token < token.txt"],
  ])("login %s does not wait for a secret to be typed", async (flag, what, example) => {
    await using home = await codexHome();
    await using terminal = await Terminal.start(home, ["login", flag], { columns: 160 });
    const screen = await terminal.shows(/\[exit 1\]/u);
    expect(screen).toContain(
      `${flag} expects ${what} on stdin. Try piping it, e.g. \`${example}\``,
    );
  });

  it("token and headers are masked unless --show is given", async () => {
    await using home = await codexHome();
    const env = { CODEX_API_KEY: key };
    await using masked = await Terminal.start(home, ["token"], { env });
    expect(await masked.shows(/\[exit 0\]/u)).toBe("sk-proj-***ABCDE\n[exit 0]");
    await using shown = await Terminal.start(home, ["token", "--show"], { env });
    expect(await shown.shows(/\[exit 0\]/u)).toBe(`${key}\n[exit 0]`);
    await using headers = await Terminal.start(home, ["headers"], { env });
    expect(await headers.shows(/\[exit 0\]/u)).toBe(
      "Authorization: Bearer sk-proj-***ABCDE\n[exit 0]",
    );
  });

  it("doctor has colours, and none under NO_COLOR", async () => {
    await using home = await codexHome();
    const env = { CODEX_API_KEY: key };
    await using coloured = await Terminal.start(home, ["doctor"], { env });
    await coloured.shows(/\[exit 0\]/u);
    expect(await coloured.screen({ colours: true })).toContain("\u001b[32mok");
    await using plain = await Terminal.start(home, ["doctor"], { env: { ...env, NO_COLOR: "1" } });
    await plain.shows(/\[exit 0\]/u);
    expect(await plain.screen({ colours: true })).not.toContain("\u001b[32m");
  });

  it("Ctrl-C ends an unanswered request with 2, and says nothing more", async () => {
    await using home = await codexHome();
    const env = { CODEX_API_KEY: authority.addApiKey() };
    authority.behave("responses", "hang", { times: 1 });
    const seen = authority.count("responses");
    await using terminal = await Terminal.start(home, ["api", "responses", "-d", "{}"], { env });
    await authority.waitForRequest("responses", { nth: seen + 1 });
    await terminal.press("C-c");
    expect(await terminal.shows(/\[exit 2\]/u)).toBe("^C[exit 2]");
  });

  it("api reports an error on its own line", async () => {
    await using home = await codexHome();
    const env = { CODEX_API_KEY: authority.addApiKey() };
    const body = "no newline";
    authority.behave("models", { status: 500, body }, { times: 1 });
    await using terminal = await Terminal.start(home, ["api", "models"], { env });
    expect(await terminal.shows(/\[exit 1\]/u)).toMatch(
      /^no newline\nError: the server responded with 500[^\n]*\n\[exit 1\]$/u,
    );
    authority.behave("models", "cut", { times: 1 });
    await using cut = await Terminal.start(home, ["api", "models"], { env, columns: 200 });
    expect(await cut.shows(/\[exit 1\]/u)).toMatch(
      /^\{"object":"list"[^\n]*\nError sending request: the request got no response[^\n]*\n\[exit 1\]$/u,
    );
    authority.behave("models", { status: 500, body }, { times: 1 });
    const piped = await home.run(["api", "models"], { env });
    expect(piped.stdout).toBe(body);
  });

  it("Ctrl-C ends the proxy with exit code 0", async () => {
    await using home = await codexHome();
    const env = { CODEX_API_KEY: authority.addApiKey() };
    await using terminal = await Terminal.start(home, ["proxy"], { env });
    await terminal.shows(/http:\/\/127\.0\.0\.1:\d+/u);
    await terminal.press("C-c");
    expect(await terminal.shows(/\[exit 0\]/u)).toMatch(
      /^http:\/\/127\.0\.0\.1:\d+\n\^C\[exit 0\]$/u,
    );
  });

  it("exec leaves the terminal, and Ctrl-C, to its program", async () => {
    await using home = await codexHome();
    const program =
      "process.on('SIGINT',()=>{console.log('got it');process.exit(5)});console.log(process.stdin.isTTY,process.stdout.isTTY);setTimeout(()=>{},9e4)";
    const args = ["exec", "--", process.execPath, "-e", program];
    await using terminal = await Terminal.start(home, args, { env: { CODEX_API_KEY: key } });
    await terminal.shows(/true true/u);
    await terminal.press("C-c");
    expect(await terminal.shows(/\[exit 5\]/u)).toBe("true true\n^Cgot it\n[exit 5]");
  });

  it("shows help without escape sequences, in 80 columns", async () => {
    await using home = await codexHome();
    await using terminal = await Terminal.start(home, ["api", "--help"], { columns: 80 });
    const screen = await terminal.shows(/\[exit 0\]/u);
    expect(screen).toContain("agent-auth api - send an authenticated request");
    expect(screen).toContain("EXIT CODES");
  });
});
