import { startTestAuthority } from "@agent-auth/test-authority";
import { describe, expect, it } from "vitest";
import { errorOf } from "./support/agent.ts";

const send = (url: string, encoding: string, body: string) =>
  fetch(url, { method: "POST", headers: { "content-encoding": encoding }, body });

describe("a request body", () => {
  it("is rejected with an unknown or wrong content encoding", async () => {
    await using authority = await startTestAuthority();
    const url = `${authority.openaiBaseUrl}/responses`;
    const unknown = await send(url, "rot13", "x");
    expect([unknown.status, (await errorOf(unknown)).code]).toEqual([415, "unknown_encoding"]);
    const broken = await send(url, "gzip", "x");
    expect([broken.status, (await errorOf(broken)).code]).toEqual([400, "broken_encoding"]);
    expect(authority.requestsTo("responses").map(({ status }) => status)).toEqual([415, 400]);
  });

  it("is rejected above 64 MiB", async () => {
    await using authority = await startTestAuthority();
    const body = new Uint8Array(64 * 1024 * 1024 + 1);
    const answer = await fetch(`${authority.openaiBaseUrl}/responses`, { method: "POST", body });
    expect([answer.status, (await errorOf(answer)).code]).toEqual([413, "body_too_large"]);
  });

  it("is rejected as a form with a duplicate parameter", async () => {
    await using authority = await startTestAuthority();
    const form = new URLSearchParams([
      ["grant_type", "authorization_code"],
      ["code", "one"],
      ["code", "two"],
    ]);
    const answer = await fetch(`${authority.issuer}/oauth/token`, { method: "POST", body: form });
    expect((await errorOf(answer)).message).toContain("code is given more than once");
  });
});
