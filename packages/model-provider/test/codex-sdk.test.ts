import { startTestAuthority } from "@agent-auth/test-authority";
import { describe, expect, it } from "vitest";
import {
  ask,
  authorityVariables,
  codexBackend,
  codexTimeout as timeout,
  missingCodex,
  startCodexAuthority,
} from "./support/codex.ts";
import { startGateway } from "./support/gateway.ts";
import { chatgptAuthJson, makeHome, signedIn, signIns } from "./support/sign-ins.ts";

// Codex is a separate program and takes no fetch from us. Its requests get our identity through a loopback
// gateway over our fetch (`agent-auth proxy` is that, grown up), or Codex signs in by itself with what we share:
// auth.json, config.toml and the environment.

if (missingCodex !== undefined) console.warn(`skipped: ${missingCodex}`);

describe
  .skipIf(missingCodex !== undefined)
  .concurrent("@openai/codex-sdk through a gateway over our fetch", () => {
    it.each(signIns)("runs a turn with $name", { timeout }, async (signIn) => {
      await using authority = await startTestAuthority({ settings: { replyText: "four" } });
      await using session = await signedIn(authority, signIn);
      await using gateway = await startGateway(session.client.fetch);
      await using home = await makeHome(authority);
      const answer = await ask(
        home.path,
        {},
        {
          model_provider: "gateway",
          model_providers: {
            gateway: { name: "Gateway", base_url: gateway.url, wire_api: "responses" },
          },
        },
      );
      expect(answer).toBe("four");
      expect(authority.requestsTo("responses").map(({ status }) => status)).toContain(200);
    });
  });

describe
  .skipIf(missingCodex !== undefined)
  .concurrent("@openai/codex-sdk on the files and variables that we share with it", () => {
    it.each(signIns)("runs a turn with $name", { timeout }, async (signIn) => {
      // A workspace plan, so that Codex asks for the workspace's managed configuration, too.
      await using authority = await startCodexAuthority({ account: { planType: "enterprise" } });
      const prepared = await signIn.prepare(authority);
      await using home = await makeHome(authority, prepared);
      const env = { ...(await authorityVariables(authority, home.path)), ...prepared.env };
      const config = prepared.config === undefined ? codexBackend(authority) : {};
      expect(await ask(home.path, env, config)).toBe("four");
    });

    it("runs a turn in a FedRAMP workspace", { timeout }, async () => {
      await using authority = await startCodexAuthority({ account: { isFedrampAccount: true } });
      await using home = await makeHome(authority, { authJson: await chatgptAuthJson(authority) });
      const env = await authorityVariables(authority, home.path);
      expect(await ask(home.path, env, codexBackend(authority))).toBe("four");
      const [request] = authority.requestsTo("responsesSocket");
      expect(request).toMatchObject({ status: 101, headers: { "x-openai-fedramp": "true" } });
    });

    it("follows a workspace's managed configuration", { timeout }, async () => {
      await using authority = await startCodexAuthority({
        account: { planType: "business" },
        settings: { managedConfig: 'model = "managed-model"' },
      });
      await using home = await makeHome(authority);
      const env = {
        ...(await authorityVariables(authority, home.path)),
        CODEX_ACCESS_TOKEN: await authority.mintAgentIdentityJwt(),
      };
      expect(await ask(home.path, env, codexBackend(authority))).toBe("four");
      expect(authority.requestsTo("responsesSocket")[0]?.messages[0]).toContain("managed-model");
    });
  });
