import { startTestAuthority } from "@agent-auth/test-authority";
import OpenAI, {
  APIConnectionError,
  APIUserAbortError,
  AuthenticationError,
  BadRequestError,
} from "openai";
import { describe, expect, it } from "vitest";
import { SignInRequired } from "../src/errors/index.ts";
import { makeHome, signedIn, type SignedInClient, signIns } from "./support/sign-ins.ts";
import { createModelProvider } from "../src/promises/index.ts";

const model = "gpt-5.2-codex";

const sdkOf = async ({ client }: Pick<SignedInClient, "client">) =>
  new OpenAI({
    apiKey: "unused",
    baseURL: await client.baseUrl(),
    fetch: client.fetch,
    maxRetries: 0,
  });

describe("the openai SDK through our fetch", () => {
  it.each(signIns)("gets a response with $name", async (signIn) => {
    await using authority = await startTestAuthority({ settings: { replyText: "four" } });
    await using session = await signedIn(authority, signIn);
    const openai = await sdkOf(session);
    const answer = await openai.responses.create({ model, input: "two and two?" });
    expect([answer.status, answer.output_text]).toEqual(["completed", "four"]);
  });

  it.each(signIns)("streams a response with $name", async (signIn) => {
    await using authority = await startTestAuthority({ settings: { replyText: "one two three" } });
    await using session = await signedIn(authority, signIn);
    const openai = await sdkOf(session);
    const stream = await openai.responses.create({ model, input: "count", stream: true });
    const types: Array<string> = [];
    let text = "";
    for await (const event of stream) {
      types.push(event.type);
      if (event.type === "response.output_text.delta") text += event.delta;
    }
    expect([types[0], types.at(-1), text]).toEqual([
      "response.created",
      "response.completed",
      "one two three",
    ]);
  });

  const [, , chatgpt, , agentJwt] = signIns;
  if (chatgpt === undefined || agentJwt === undefined)
    throw new Error("the list of sign-ins changed");

  it("continues with a new task if the authority has forgotten the agent's", async () => {
    await using authority = await startTestAuthority();
    await using session = await signedIn(authority, agentJwt);
    const openai = await sdkOf(session);
    await openai.responses.create({ model, input: "first" });
    authority.revokeTask();
    const answer = await openai.responses.create({ model, input: "second" });
    expect(answer.status).toBe("completed");
    expect(authority.count("registerTask")).toBe(2);
    expect(authority.count("responses")).toBe(3);
  });

  it("continues after a refresh if the authority starts to refuse the access token", async () => {
    await using authority = await startTestAuthority();
    await using session = await signedIn(authority, chatgpt);
    const openai = await sdkOf(session);
    await openai.responses.create({ model, input: "first" });
    for (const request of authority.requestsTo("responses"))
      authority.revokeAccessToken(request.headers["authorization"]?.slice("Bearer ".length) ?? "");
    const stream = await openai.responses.create({ model, input: "second", stream: true });
    const types: Array<string> = [];
    for await (const event of stream) types.push(event.type);
    expect(types.at(-1)).toBe("response.completed");
    expect(authority.count("refresh")).toBe(1);
  });

  it("throws its own errors for rejected requests", async () => {
    await using authority = await startTestAuthority();
    await using session = await signedIn(authority, {
      name: "a key that was revoked",
      prepare: async () => {
        const key = authority.addApiKey();
        authority.revokeAccessToken(key);
        return {
          env: { CODEX_API_KEY: key },
          config: `openai_base_url = ${JSON.stringify(authority.openaiBaseUrl)}\n`,
        };
      },
    });
    const openai = await sdkOf(session);
    await expect(openai.responses.create({ model, input: "x" })).rejects.toBeInstanceOf(
      AuthenticationError,
    );
    expect(authority.count("responses")).toBe(1);
    authority.behave("responses", {
      status: 400,
      body: { error: { message: "bad", code: "bad" } },
    });
    await expect(openai.responses.create({ model, input: "x" })).rejects.toBeInstanceOf(
      BadRequestError,
    );
  });

  it("keeps its own retries", async () => {
    await using authority = await startTestAuthority();
    await using session = await signedIn(authority, agentJwt);
    authority.behave(
      "responses",
      { status: 500, headers: { "retry-after-ms": "1" } },
      { times: 1 },
    );
    const openai = (await sdkOf(session)).withOptions({ maxRetries: 1 });
    expect((await openai.responses.create({ model, input: "x" })).status).toBe("completed");
    const [first, second] = authority.requestsTo("responses");
    expect([first?.status, second?.status]).toEqual([500, 200]);
  });

  it("sends nothing if no account is signed in, and throws an error with ours as its cause", async () => {
    await using authority = await startTestAuthority();
    await using home = await makeHome(authority);
    await using client = await createModelProvider({
      variables: { CODEX_HOME: home.path },
      environmentCredentials: true,
    });
    const openai = new OpenAI({
      apiKey: "unused",
      baseURL: authority.openaiBaseUrl,
      fetch: client.fetch,
      maxRetries: 0,
    });
    const error: unknown = await openai.responses
      .create({ model, input: "x" })
      .catch((e: unknown) => e);
    expect(error).toBeInstanceOf(APIConnectionError);
    expect(error).toMatchObject({ cause: expect.any(SignInRequired) });
    expect(authority.requests).toEqual([]);
  });

  it("closes the connection when a stream is aborted", async () => {
    await using authority = await startTestAuthority({ settings: { replyDelayMs: 20 } });
    await using session = await signedIn(authority, agentJwt);
    const openai = await sdkOf(session);
    const controller = new AbortController();
    const stream = await openai.responses.create(
      { model, input: "x", stream: true },
      { signal: controller.signal },
    );
    let events = 0;
    const reading = async (): Promise<void> => {
      for await (const _ of stream) if (++events === 2) controller.abort();
    };
    await reading().catch((error: unknown) => {
      if (!(error instanceof APIUserAbortError)) throw error;
    });
    expect(events).toBe(2);
  });

  it("uploads a file as form data", async () => {
    await using authority = await startTestAuthority();
    await using session = await signedIn(authority, agentJwt);
    const openai = await sdkOf(session);
    const file = new File(["line one"], "notes.txt", { type: "text/plain" });
    await openai.files.create({ file, purpose: "assistants" }).catch(() => {});
    const upload = authority.requests.find(
      (request) => request.method === "POST" && request.path.endsWith("/files"),
    );
    expect(upload?.headers["content-type"]).toMatch(/^multipart\/form-data; boundary=/);
    expect(upload?.body.toString()).toContain('filename="notes.txt"');
  });
});
