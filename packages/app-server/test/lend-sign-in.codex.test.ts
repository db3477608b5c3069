import { loadConfig } from "@agent-auth/login/config";
import { loadEnvironment } from "@agent-auth/login/config/environment";
import {
  createAuthManager,
  type PromiseAuthManager,
  revealSecret,
} from "@agent-auth/login/promises";
import { startTestAuthority, type TestAuthority } from "@agent-auth/test-authority";
import * as Effect from "effect/Effect";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { lendSignIn } from "../src/host/index.ts";
import { missingCodex, startCodexServer } from "./support/codex.ts";
import { openHome, signIn } from "./support/home.ts";

if (missingCodex !== undefined) console.warn(`skipped: ${missingCodex}`);

const servers = 10;

const accessToken = async (manager: PromiseAuthManager): Promise<string> => {
  const credential = await manager.current();
  if (credential?._tag !== "Chatgpt") throw new Error("not signed in");
  return revealSecret(credential.accessToken);
};

/** Model requests that were rejected. */
const unauthorized = (authority: TestAuthority): number =>
  authority.requestsTo("responsesSocket").filter(({ status }) => status === 401).length;

describe.skipIf(missingCodex !== undefined)("a sign-in lent to real Codex app servers", () => {
  it(
    `is refreshed once per expiry for ${servers} servers, and every turn is authenticated`,
    {
      timeout: 180_000,
    },
    async () => {
      await using authority = await startTestAuthority({
        tls: "self-signed",
        settings: { punishReuse: true, replyText: "pong" },
      });
      const home = await openHome();
      const certificate = join(home, "authority.pem");
      await writeFile(certificate, authority.certificate ?? "");
      await signIn(home, authority);
      const environment = loadEnvironment({
        CODEX_HOME: home,
        CODEX_CA_CERTIFICATE: certificate,
        CODEX_REFRESH_TOKEN_URL_OVERRIDE: `${authority.url}/oauth/token`,
      });
      const overrides = [`chatgpt_base_url=${authority.chatgptBaseUrl}`];
      const config = await Effect.runPromise(loadConfig({ ...environment, overrides }));
      await using manager = createAuthManager({
        environment,
        config,
        environmentCredentials: false,
      });
      await using stack = new AsyncDisposableStack();
      const fleet = await Promise.all(
        Array.from({ length: servers }, async () => {
          const server = stack.use(await startCodexServer(authority));
          stack.use(await lendSignIn(server.client, manager));
          return server;
        }),
      );
      const everyTurn = () => Promise.all(fleet.map((server) => server.turn()));
      const completed = Array.from({ length: servers }, () => ({
        status: "completed",
        error: null,
      }));

      expect(await everyTurn()).toEqual(completed);
      expect(authority.count("refresh")).toBe(0);
      // Expired: each server gets a 401 and asks for another token.
      authority.expireAccessToken(await accessToken(manager));
      expect(await everyTurn()).toEqual(completed);
      expect(authority.count("refresh")).toBe(1);

      // Ahead of expiry, as with `keepFresh`: each server is given the new token and never sends the old one again.
      const old = await accessToken(manager);
      const told = fleet.map(
        ({ client }) => new Promise((resolve) => client.on("account/login/completed", resolve)),
      );
      await manager.refresh("proactive_expiry");
      await Promise.all(told);
      authority.expireAccessToken(old);
      authority.clearRequests();
      expect(await everyTurn()).toEqual(completed);
      expect(authority.count("refresh")).toBe(0);
      expect(unauthorized(authority)).toBe(0);

      const requests = authority.requestsTo("responsesSocket");
      expect(requests.length).toBeGreaterThanOrEqual(servers);
      for (const { headers } of requests) expect(headers.authorization).toMatch(/^Bearer ey/);
      const reads = await Promise.all(fleet.map(({ client }) => client.call("account/read", {})));
      expect(reads.map(({ account }) => account?.type)).toEqual(fleet.map(() => "chatgpt"));
    },
  );
});
