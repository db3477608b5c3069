import { join } from "node:path";
import type { TestAuthority } from "@agent-auth/test-authority";
import { describe, expect, it } from "vitest";
import {
  codexExec,
  missingCodex,
  openCodexHome,
  ours,
  theirs,
  timeout,
} from "./support/real-codex.ts";

/** What both are asked for, and their first line. */
const status = async (
  { authority, run }: Awaited<ReturnType<typeof openCodexHome>>,
  env: Readonly<Record<string, string>>,
) => {
  const answers = [];
  for (const program of [theirs, ours]) {
    authority.clearRequests();
    const { exitCode, stderr } = await run([...program, "login", "status"], env);
    const exchanges = authority.requestsTo("workloadExchange").map(formOf);
    answers.push({ exitCode, line: stderr.split("\n")[0] ?? "", exchanges });
  }
  const [codexAnswer, ourAnswer] = answers;
  if (codexAnswer === undefined || ourAnswer === undefined) throw new Error("no answers");
  return { codexAnswer, ourAnswer };
};

const formOf = (request: ReturnType<TestAuthority["requestsTo"]>[number]) => [...request.form()];

describe.skipIf(missingCodex !== undefined)("agent-auth and the real Codex", { timeout }, () => {
  it("exchange an identity token with the same request, one for login status", async () => {
    const setup = await openCodexHome();
    const env = { ...setup.identity, OPENAI_WORKLOAD_IDENTITY_CONTEXT: " {} " };
    const { codexAnswer, ourAnswer } = await status(setup, env);
    expect(codexAnswer).toMatchObject({ exitCode: 0, line: "Logged in using workload identity" });
    expect(codexAnswer.exchanges).toHaveLength(1);
    expect(ourAnswer).toEqual(codexAnswer);
  });

  it("ask a SPIFFE Workload API and exchange its token with the same request", async () => {
    const setup = await openCodexHome();
    const socket = join(setup.home, "a.sock");
    await using api = await setup.authority.serveWorkloadApi(socket);
    const { codexAnswer, ourAnswer } = await status(setup, {
      OPENAI_FEDERATION_RULE_ID: setup.identity.OPENAI_FEDERATION_RULE_ID,
      OPENAI_IDENTITY_TOKEN_SOURCE: "spiffe",
      OPENAI_SPIFFE_AUDIENCE: "aud-1",
      SPIFFE_ENDPOINT_SOCKET: `unix://${socket}`,
    });
    expect(codexAnswer).toMatchObject({ exitCode: 0, line: "Logged in using workload identity" });
    expect(ourAnswer).toMatchObject({ exitCode: 0, line: codexAnswer.line });
    expect(
      api.requests.map(({ audience, path, spiffeId }) => ({ audience, path, spiffeId })),
    ).toEqual(
      Array.from({ length: 2 }, () => ({
        audience: ["aud-1"],
        path: "/SpiffeWorkloadAPI/FetchJWTSVID",
        spiffeId: "",
      })),
    );
  });

  it.each<[string, Readonly<Record<string, string>>]>([
    ["an empty rule", { OPENAI_FEDERATION_RULE_ID: "" }],
    ["no rule", { OPENAI_IDENTITY_TOKEN_FILE: "/nonexistent" }],
    ["no file", { OPENAI_FEDERATION_RULE_ID: "r" }],
    ["a relative file", { OPENAI_FEDERATION_RULE_ID: "r", OPENAI_IDENTITY_TOKEN_FILE: "t.jwt" }],
    [
      "a missing file",
      { OPENAI_FEDERATION_RULE_ID: "r", OPENAI_IDENTITY_TOKEN_FILE: "/nonexistent" },
    ],
    ["an unknown source", { OPENAI_FEDERATION_RULE_ID: "r", OPENAI_IDENTITY_TOKEN_SOURCE: "gcp" }],
  ])("report %s in the same words, and send nothing", async (_, env) => {
    const setup = await openCodexHome();
    const { codexAnswer, ourAnswer } = await status(setup, env);
    expect(codexAnswer.exitCode).toBe(1);
    expect(ourAnswer.exitCode).toBe(1);
    expect(ourAnswer.line).toContain(codexAnswer.line);
    expect([...codexAnswer.exchanges, ...ourAnswer.exchanges]).toEqual([]);
  });

  it("report a refused exchange in the same words", async () => {
    const setup = await openCodexHome();
    setup.authority.behave("workloadExchange", { status: 400, body: "canary" });
    const { codexAnswer, ourAnswer } = await status(setup, setup.identity);
    expect(codexAnswer.line).toContain("token exchange was rejected with HTTP 400");
    expect(ourAnswer.line).toContain(codexAnswer.line);
    expect([codexAnswer.exchanges.length, ourAnswer.exchanges.length]).toEqual([1, 1]);
  });

  it("make one exchange for a process that sends a model request", async () => {
    const { authority, identity, run } = await openCodexHome();
    await run(codexExec, identity);
    expect(authority.count("workloadExchange")).toBe(1);
    authority.clearRequests();
    const { exitCode } = await run([...ours, "api", "/models"], identity);
    expect([exitCode, authority.count("workloadExchange")]).toEqual([0, 1]);
    expect(authority.requests.map(({ headers }) => headers.host)).toContain("chatgpt.com");
  });
});
