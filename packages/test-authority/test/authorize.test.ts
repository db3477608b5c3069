import { SignInLinkBroken, startTestAuthority } from "@agent-auth/test-authority";
import type { TestAuthority } from "@agent-auth/test-authority";
import { describe, expect, it } from "vitest";
import { beginSignIn, postForm, redirectUri } from "./support/oauth.ts";

const hiddenRequest = (page: string): string =>
  /name="request" value="([^"]+)"/.exec(page)?.[1] ?? "";

const openPage = async (authority: TestAuthority, change: Record<string, string> = {}) => {
  const answer = await fetch(beginSignIn(authority, change).url, { redirect: "manual" });
  return { answer, text: await answer.text() };
};

const decide = async (authority: TestAuthority, form: Record<string, string>) => {
  const answer = await postForm(`${authority.issuer}/oauth/authorize`, form);
  const location = answer.headers.get("location");
  return { status: answer.status, callback: location === null ? null : new URL(location) };
};

describe("the authorize page", () => {
  it("lists the workspaces, escaped, and marks those that the client did not ask for", async () => {
    await using authority = await startTestAuthority({
      account: { workspaceName: '<b>"Ada" & co</b>' },
    });
    const other = authority.createAccount({ workspaceName: "Other" });
    const { answer, text } = await openPage(authority, { allowed_workspace_id: other.accountId });
    expect(answer.status).toBe(200);
    expect(text).toContain("&lt;b&gt;&quot;Ada");
    expect(text).not.toContain("<b>");
    expect(text).toContain(`value="${other.accountId}" checked`);
    expect(text.match(/did not ask for this workspace/g)).toHaveLength(1);
  });

  it("has no scripts or external resources, and forbids both", async () => {
    await using authority = await startTestAuthority();
    const { answer, text } = await openPage(authority);
    expect(answer.headers.get("content-security-policy")).toContain("default-src 'none'");
    expect(answer.headers.get("cache-control")).toBe("no-store");
    expect(text).not.toMatch(/<script|<link|<img|https?:\/\//);
  });

  it("redirects once with code and state for the chosen workspace", async () => {
    await using authority = await startTestAuthority();
    const other = authority.createAccount();
    const request = hiddenRequest((await openPage(authority)).text);
    const form = { request, account: other.accountId, decision: "approve" };
    const { status, callback } = await decide(authority, form);
    expect(status).toBe(302);
    expect(callback?.href.startsWith(`${redirectUri}?`)).toBe(true);
    expect(callback?.searchParams.get("state")).toBe("state-of-the-program");
    expect(callback?.searchParams.get("code")).toMatch(/^ac_/);
    expect((await decide(authority, form)).status).toBe(400);
  });

  it("redirects with the reason of a denial", async () => {
    await using authority = await startTestAuthority({
      settings: { denialDescription: "missing_codex_entitlement" },
    });
    const request = hiddenRequest((await openPage(authority)).text);
    const { callback } = await decide(authority, { request, decision: "deny" });
    expect(Object.fromEntries(callback?.searchParams ?? [])).toEqual({
      error: "access_denied",
      error_description: "missing_codex_entitlement",
      state: "state-of-the-program",
    });
  });

  it("requires a workspace for an approval", async () => {
    await using authority = await startTestAuthority();
    const request = hiddenRequest((await openPage(authority)).text);
    expect((await decide(authority, { request, decision: "approve" })).status).toBe(400);
  });

  it.each([
    ["another host", { redirect_uri: "http://evil.example:1455/auth/callback" }],
    ["another path", { redirect_uri: "http://127.0.0.1:1455/elsewhere" }],
    ["no client id", { client_id: "" }],
  ])("never redirects to %s", async (_name, change) => {
    await using authority = await startTestAuthority();
    const { answer } = await openPage(authority, change);
    expect([answer.status, answer.headers.get("location")]).toEqual([400, null]);
    const { url } = beginSignIn(authority, change);
    expect(() => authority.decideSignIn(url)).toThrow(SignInLinkBroken);
  });

  it.each([
    ["response_type", "token"],
    ["code_challenge", "short"],
    ["code_challenge_method", "plain"],
  ])("reports to the program that %s is wrong", async (name, value) => {
    await using authority = await startTestAuthority();
    const { answer } = await openPage(authority, { [name]: value });
    const callback = new URL(answer.headers.get("location") ?? "");
    expect(callback.searchParams.get("error")).toBe("invalid_request");
    expect(callback.searchParams.get("error_description")).toContain(name);
    expect(callback.searchParams.get("state")).toBe("state-of-the-program");
  });

  it("decides without asking, and with a wrong state, if configured to", async () => {
    await using authority = await startTestAuthority({
      settings: { consent: "approve", wrongState: true },
    });
    const { answer } = await openPage(authority);
    const callback = new URL(answer.headers.get("location") ?? "");
    expect(callback.searchParams.get("code")).toMatch(/^ac_/);
    expect(callback.searchParams.get("state")).toBe("state-of-the-programx");
  });
});
