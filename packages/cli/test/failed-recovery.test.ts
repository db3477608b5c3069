/** A 401 whose recovery failed: the reason of the failure comes first, since a new sign-in could fail for it as well. */
import { startTestAuthority } from "@agent-auth/test-authority";
import { describe, expect, it } from "vitest";
import { chatgptSignIn } from "./support/chatgpt-sign-in.ts";
import { CliHome } from "./support/cli.ts";

const setUp = async () => {
  const authority = await startTestAuthority();
  const home = await CliHome.make(
    `chatgpt_base_url = "${authority.chatgptBaseUrl}"\nopenai_base_url = "${authority.openaiBaseUrl}"\n`,
  );
  authority.behave("responses", { status: 401 });
  const send = async (env: Readonly<Record<string, string>> = {}) => {
    const { exitCode, stderr } = await home.run(["api", "responses", "-d", "{}"], { env });
    const lines = stderr.trimEnd().split("\n");
    return { exitCode, lines: lines.filter((line) => !line.startsWith("warning: ")) };
  };
  return {
    authority,
    home,
    send,
    [Symbol.asyncDispose]: async () => {
      await home[Symbol.asyncDispose]();
      await authority.close();
    },
  };
};

const last = "Error: the server responded with 401 Unauthorized";

describe.concurrent("a failed recovery after a 401", () => {
  it("is reported first: the authority is down", async () => {
    await using at = await setUp();
    const { authority, home, send } = at;
    await home.writeAuth(chatgptSignIn(authority, await authority.mintChatgptTokens()));
    authority.behave("refresh", { status: 503 });
    const { exitCode, lines } = await send();
    expect(lines).toEqual([
      expect.stringMatching(
        /^Error refreshing the credential: access token could not be refreshed.*503/u,
      ),
      last,
    ]);
    expect(lines.join("\n")).not.toContain("agent-auth login");
    expect(exitCode).toBe(4);
  });

  it("is reported first: the refresh token has expired, with the command that helps", async () => {
    await using at = await setUp();
    const { authority, home, send } = at;
    await home.writeAuth(chatgptSignIn(authority, await authority.mintChatgptTokens()));
    const body = { error: { code: "refresh_token_expired" } };
    authority.behave("refresh", { status: 401, body: JSON.stringify(body) });
    const { lines } = await send();
    expect(lines).toEqual([
      "Error refreshing the credential: Your access token could not be refreshed because your refresh token has expired. Please log out and sign in again. Run: agent-auth login",
      last,
    ]);
  });

  it("is reported first: an agent could not register a new task", async () => {
    await using at = await setUp();
    const { authority, home, send } = at;
    const stdin = await authority.mintAgentIdentityJwt();
    await home.run(["login", "--with-agent-identity"], { stdin });
    authority.resetBehaviour();
    authority.behave("responses", {
      respond: () => {
        authority.behave("registerTask", { status: 400, body: "no" });
        return { status: 401, headers: {}, body: "" };
      },
    });
    const { lines } = await send();
    expect(lines[0]).toContain("agent task registration failed with status 400");
    expect(lines.at(-1)).toBe(last);
  });

  it("is not mentioned for an API key, which cannot be recovered", async () => {
    await using at = await setUp();
    const { lines } = await at.send({ CODEX_API_KEY: "sk-proj-1234567890ABCDE" });
    expect(lines).toEqual([`${last}. Correct or unset CODEX_API_KEY.`]);
  });
});
