// Flows 36 and 37 of the recordings, against the built command: browser logins with several clients. They take the ports
// 1455 and 1457, and are in this folder because its files run one after another.
import { startTestAuthority, type TestAuthority } from "@agent-auth/test-authority";
import { expect, it } from "vitest";
import { type AppServerClient, connectClient, RunningAppServer } from "../support/app-server.ts";
import { CliHome } from "../support/cli.ts";

const initialize = JSON.stringify({
  id: 1,
  method: "initialize",
  params: { clientInfo: { name: "lab", version: "1.0" } },
});

const open = async (server: RunningAppServer): Promise<AppServerClient> => {
  const client = await connectClient(server.target);
  client.send(initialize);
  await client.answerTo(1);
  return client;
};

const ask = (client: AppServerClient, id: number, method: string, params: object = {}) => {
  client.send(JSON.stringify({ id, method, params }));
  return client.answerTo(id);
};

const started = (answer: unknown) => {
  expect(answer).toMatchObject({
    result: { type: "chatgpt", loginId: expect.any(String), authUrl: expect.any(String) },
  });
  if (!isStarted(answer)) throw new Error("no sign-in was started");
  return answer.result;
};
const isStarted = (answer: unknown): answer is { result: { loginId: string; authUrl: string } } =>
  typeof answer === "object" && answer !== null && "result" in answer;

const completed = (loginId: string | null, error: string | null) => ({
  method: "account/login/completed",
  params: { loginId, success: error === null, error, onboardingEntrypoint: null },
  emittedAtMs: expect.any(Number),
});
const updated = (authMode: string | null, planType: string | null = null) => ({
  method: "account/updated",
  params: { authMode, planType, reason: null },
  emittedAtMs: expect.any(Number),
});
const cancelled = "Login server error: Login was not completed";

const withServer = async (
  run: (server: RunningAppServer, authority: TestAuthority) => Promise<void>,
) => {
  await using authority = await startTestAuthority({
    account: { accountId: "acct-1", email: "user@example.test", planType: "pro" },
  });
  await using home = await CliHome.make(`chatgpt_base_url = "${authority.chatgptBaseUrl}"\n`);
  await using server = await RunningAppServer.start(home, ["--listen", "unix://"], {
    env: { CODEX_APP_SERVER_LOGIN_ISSUER: authority.issuer },
  });
  await run(server, authority);
  expect(await server.stop()).toBe(0);
};

const browse = async (authority: TestAuthority, authUrl: string): Promise<void> => {
  const callback = authority.decideSignIn(authUrl);
  const { headers } = await fetch(callback, { redirect: "manual" });
  await fetch(new URL(headers.get("location") ?? "", callback));
};

it("36: every client is notified of the logins of the others and can cancel them", async () => {
  await withServer(async (server) => {
    const [a, b] = [await open(server), await open(server)];
    const key = { type: "apiKey", apiKey: "sk-proj-1234567890ABCDE" };
    await ask(a, 2, "account/login/start", key);
    for (const client of [a, b]) {
      await expect.poll(() => client.received).toContainEqual(completed(null, null));
      await expect.poll(() => client.received).toContainEqual(updated("apikey"));
    }
    const { loginId } = started(await ask(a, 3, "account/login/start", { type: "chatgpt" }));
    const canceled = await ask(b, 3, "account/login/cancel", { loginId });
    expect(canceled).toEqual({ id: 3, result: { status: "canceled" } });
    for (const client of [a, b])
      await expect.poll(() => client.received).toContainEqual(completed(loginId, cancelled));
    await ask(b, 5, "account/logout");
    for (const client of [a, b])
      await expect.poll(() => client.received).toContainEqual(updated(null));
  });
});

it("37: a login continues when its client disconnects, with and without another client", async () => {
  await withServer(async (server, authority) => {
    const [a, b] = [await open(server), await open(server)];
    const first = started(await ask(a, 2, "account/login/start", { type: "chatgpt" }));
    a.close();
    await browse(authority, first.authUrl);
    await expect.poll(() => b.received).toContainEqual(completed(first.loginId, null));
    await expect.poll(() => b.received).toContainEqual(updated("chatgpt", "pro"));
    b.close();
    const c = await open(server);
    const second = started(await ask(c, 3, "account/login/start", { type: "chatgpt" }));
    c.close();
    await browse(authority, second.authUrl);
    const d = await open(server);
    const { loginId } = second;
    expect(await ask(d, 2, "account/login/cancel", { loginId })).toEqual({
      id: 2,
      result: { status: "notFound" },
    });
    expect(await ask(d, 3, "account/read")).toMatchObject({
      result: { account: { type: "chatgpt", email: "user@example.test" } },
    });
  });
});
