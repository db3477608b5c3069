import { startTestAuthority } from "@agent-auth/test-authority";
import { describe, expect, it } from "vitest";
import { signedIn, signIns } from "./support/sign-ins.ts";

const ask = { method: "POST", headers: { "content-type": "application/json" } } as const;
const body = JSON.stringify({ model: "gpt-5.2-codex", input: "hello" });

describe("createModelProvider", () => {
  it.each(signIns)("sends requests that the authority accepts: $name", async (signIn) => {
    await using authority = await startTestAuthority();
    await using session = await signedIn(authority, signIn);
    const response = await session.client.fetch("/responses", { ...ask, body });
    expect([response.status, await response.json()]).toMatchObject([200, { status: "completed" }]);
    expect(authority.count("responses")).toBe(1);
    expect(authority.requestsTo("responses")[0]?.headers).toMatchObject({
      originator: "codex_cli_rs",
      "user-agent": expect.stringMatching(/^agent-auth /),
    });
  });
});
