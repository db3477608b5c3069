import { createOpenAI } from "@ai-sdk/openai";
import { startTestAuthority } from "@agent-auth/test-authority";
import { APICallError, generateText, streamText } from "ai";
import { describe, expect, it } from "vitest";
import { signedIn, type SignedInClient, signIns } from "./support/sign-ins.ts";

const modelOf = async ({ client }: Pick<SignedInClient, "client">) =>
  createOpenAI({
    apiKey: "unused",
    baseURL: await client.baseUrl(),
    fetch: client.fetch,
  }).responses("gpt-5.2-codex");

describe("the Vercel AI SDK's OpenAI provider through our fetch", () => {
  it.each(signIns)("generates text with $name", async (signIn) => {
    await using authority = await startTestAuthority({ settings: { replyText: "four" } });
    await using session = await signedIn(authority, signIn);
    const { text } = await generateText({ model: await modelOf(session), prompt: "two and two?" });
    expect(text).toBe("four");
  });

  it.each(signIns)("streams text with $name", async (signIn) => {
    await using authority = await startTestAuthority({ settings: { replyText: "one two three" } });
    await using session = await signedIn(authority, signIn);
    const result = streamText({ model: await modelOf(session), prompt: "count" });
    const parts: Array<string> = [];
    for await (const part of result.textStream) parts.push(part);
    expect([parts.length > 1, parts.join("")]).toEqual([true, "one two three"]);
  });

  it("throws its own error for a rejected request", async () => {
    await using authority = await startTestAuthority();
    const [apiKey] = signIns;
    if (apiKey === undefined) throw new Error("there are no sign-ins");
    await using session = await signedIn(authority, apiKey);
    authority.behave("responses", { status: 403, body: { error: { message: "no" } } });
    const model = await modelOf(session);
    const error: unknown = await generateText({ model, prompt: "x", maxRetries: 0 }).catch(
      (failure: unknown) => failure,
    );
    expect(APICallError.isInstance(error) && error.statusCode).toBe(403);
  });
});
