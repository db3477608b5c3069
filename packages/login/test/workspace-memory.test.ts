import { HttpTransport } from "@agent-auth/agent-identity/http";
import * as Effect from "effect/Effect";
import * as Redacted from "effect/Redacted";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { loadConfig } from "../src/config/index.ts";
import type { ExternalChatgptCredential } from "../src/credential/index.ts";
import { makeWorkspaceChecks } from "../src/workspace/index.ts";
import { temporaryFolder } from "./support/home.ts";

const credentialOf = (accountId: string): ExternalChatgptCredential => ({
  _tag: "ExternalChatgpt",
  accessToken: Redacted.make("token"),
  account: { accountId, isFedrampAccount: false },
  source: { _tag: "External", name: "test" },
});

/** The checks of a manager whose home cannot be written, with the number of requests that they sent. */
const open = async () => {
  const home = join(temporaryFolder(), "missing");
  const config = await Effect.runPromise(
    loadConfig({
      codexHome: { path: home, explicit: false },
      systemFolder: "/nonexistent",
      overrides: ["chatgpt_base_url=https://backend.example/backend-api"],
    }),
  );
  let requests = 0;
  const transport = HttpTransport.of({
    request: () =>
      Effect.sync(() => {
        requests += 1;
        return { status: 404, statusText: "", headers: {}, body: "" };
      }),
  });
  const checks = makeWorkspaceChecks({ codexHome: { path: home, explicit: true }, config });
  const check = (accountId: string) =>
    Effect.runPromise(
      Effect.provideService(checks.check(credentialOf(accountId)), HttpTransport, transport),
    );
  return { check, requests: () => requests };
};

describe("what the backend says of workspaces", () => {
  it("is asked once for each of a few accounts", async () => {
    const { check, requests } = await open();
    for (let round = 0; round < 3; round += 1)
      for (let account = 0; account < 64; account += 1) await check(`acct-${account}`);
    expect(requests()).toBe(64);
  });

  it("is kept in memory for the last 64 accounts of many", async () => {
    const { check, requests } = await open();
    for (let account = 0; account < 1_000; account += 1) await check(`acct-${account}`);
    await check("acct-999");
    expect(requests()).toBe(1_000);
    await check("acct-0"); // forgotten
    expect(requests()).toBe(1_001);
  });

  it("stays for an account that is in use", async () => {
    const { check, requests } = await open();
    await check("acct-main");
    for (let account = 0; account < 200; account += 1) {
      await check(`acct-${account}`);
      await check("acct-main");
    }
    expect(requests()).toBe(201);
  });
});
