import { startTestAuthority, type TestAuthority } from "@agent-auth/test-authority";
import { createInterface } from "node:readline";
import { describe, expect, it } from "vitest";
import { chatgptSignIn } from "./support/chatgpt-sign-in.ts";
import { CliHome } from "./support/cli.ts";

/** `agent-auth keep`, running. */
const startKeep = (home: CliHome, args: readonly string[] = []) => {
  const child = home.spawn(["keep", ...args]);
  const lines: string[] = [];
  const reader = createInterface(child.stderr);
  reader.on("line", (line) => lines.push(line));
  const exit = new Promise<number | null>((resolve) => child.once("close", resolve));
  /** Waits for a line that matches. */
  const printed = async (pattern: RegExp): Promise<string> => {
    for (;;) {
      const found = lines.find((line) => pattern.test(line));
      if (found !== undefined) return found;
      const isOpen = await Promise.race([
        new Promise<true>((resolve) => reader.once("line", () => resolve(true))),
        exit.then(() => false),
      ]);
      if (!isOpen) throw new Error(`never printed ${pattern}: ${lines.join("\n")}`);
    }
  };
  return {
    lines,
    printed,
    exit,
    stop: (signal: NodeJS.Signals) => {
      child.kill(signal);
      return exit;
    },
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGKILL");
      await exit;
    },
  };
};

const setUp = async () => {
  const authority = await startTestAuthority();
  const home = await CliHome.make(`chatgpt_base_url = "${authority.chatgptBaseUrl}"\n`);
  return {
    authority,
    home,
    [Symbol.asyncDispose]: async () => {
      await home[Symbol.asyncDispose]();
      await authority.close();
    },
  };
};

const signIn = async (authority: TestAuthority, home: CliHome, expiresInSeconds?: number) => {
  const account = authority.createAccount({ email: "keep@example.com" });
  const options = { account, ...(expiresInSeconds !== undefined && { expiresInSeconds }) };
  await home.writeAuth(chatgptSignIn(authority, await authority.mintChatgptTokens(options)));
};

describe("keep", () => {
  it("refreshes a token that is due, and ends with 0 on SIGTERM", async () => {
    await using at = await setUp();
    await signIn(at.authority, at.home, 300);
    await using keep = startKeep(at.home);
    await keep.printed(/keep@example\.com, expires \S+Z \(in (?:59|60) minutes|in 1 hour\)/u);
    expect(at.authority.count("refresh")).toBe(1);
    expect(await keep.stop("SIGTERM")).toBe(0);
  });

  it("leaves a token alone that is not due", async () => {
    await using at = await setUp();
    await signIn(at.authority, at.home, 3600);
    await using keep = startKeep(at.home);
    expect(await keep.printed(/./u)).toMatch(
      /^Keeping fresh: keep@example\.com, expires \S+Z \(in 59 minutes\)$/u,
    );
    expect(await keep.stop("SIGINT")).toBe(0);
    expect(at.authority.count("refresh")).toBe(0);
  });

  it("reports a sign-in of another program, and ends with 4 when it signs out", async () => {
    await using at = await setUp();
    await signIn(at.authority, at.home, 3600);
    await using keep = startKeep(at.home);
    await keep.printed(/^Keeping fresh: keep@example\.com/u);
    const account = at.authority.createAccount({ email: "other@example.com" });
    const tokens = await at.authority.mintChatgptTokens({ account });
    await at.home.writeAuth(chatgptSignIn(at.authority, tokens));
    await keep.printed(/^Keeping fresh: other@example\.com/u);
    expect((await at.home.run(["logout"])).exitCode).toBe(0);
    await keep.printed(/^Error keeping the sign-in fresh: not signed in\. Run: agent-auth login$/u);
    expect(await keep.exit).toBe(4);
  });

  it("waits for a sign-in with --wait", async () => {
    await using at = await setUp();
    await using keep = startKeep(at.home, ["--wait"]);
    await keep.printed(/^Not signed in\. Waiting for: agent-auth login$/u);
    await signIn(at.authority, at.home, 3600);
    await keep.printed(/^Keeping fresh: keep@example\.com/u);
    expect(await keep.stop("SIGTERM")).toBe(0);
  });

  it("ends with 4 if the refresh token is rejected and the access token has expired", async () => {
    await using at = await setUp();
    await signIn(at.authority, at.home, 1);
    at.authority.behave("refresh", {
      status: 401,
      body: JSON.stringify({ error: { code: "refresh_token_expired" } }),
    });
    await using keep = startKeep(at.home);
    await keep.printed(/because your refresh token has expired.* Run: agent-auth login$/u);
    expect(await keep.exit).toBe(4);
  });

  it("is silent with --quiet", async () => {
    await using at = await setUp();
    await signIn(at.authority, at.home, 300);
    await using keep = startKeep(at.home, ["--quiet"]);
    await at.authority.waitForRequest("refresh");
    await keep.stop("SIGTERM");
    expect(keep.lines).toEqual([]);
  });

  it.each([
    [
      "an API key",
      { OPENAI_API_KEY: "sk-proj-1234567890ABCDE" },
      {},
      1,
      /\(apiKey\) is never refreshed\. Only a ChatGPT sign-in/u,
    ],
    ["nothing", undefined, {}, 4, /not signed in\. Run: agent-auth login/u],
    [
      "a variable",
      undefined,
      { CODEX_API_KEY: "sk-x" },
      1,
      /CODEX_API_KEY is set and is used .* Unset CODEX_API_KEY first\./u,
    ],
  ])("does nothing for %s", async (_, auth, env, code, message) => {
    await using at = await setUp();
    if (auth !== undefined) await at.home.writeAuth(auth);
    const { exitCode, stderr } = await at.home.run(["keep"], { env });
    expect(stderr).toMatch(message);
    expect(exitCode).toBe(code);
  });
});
