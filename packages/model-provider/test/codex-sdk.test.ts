import { createRequire } from "node:module";
import { Codex, type CodexOptions } from "@openai/codex-sdk";
import { startTestAuthority, type TestAuthority } from "@agent-auth/test-authority";
import { describe, expect, it } from "vitest";
import { startGateway } from "./support/gateway.ts";
import { makeHome, signedIn, type SignIn, signIns } from "./support/sign-ins.ts";

// Codex is a program of its own and takes no fetch from us. Its requests get our identity through a loopback
// gateway over our fetch (`agent-auth proxy` is that, grown up), or Codex signs in by itself with what we share:
// auth.json, config.toml and the environment.

const isInstalled = (() => {
  try {
    createRequire(import.meta.url).resolve(
      `@openai/codex-${process.platform}-${process.arch}/package.json`,
    );
    return true;
  } catch {
    console.warn(
      `skipped: the Codex binary for ${process.platform}-${process.arch} is not installed`,
    );
    return false;
  }
})();

const timeout = 60_000;

/** One turn of a real Codex in a folder of its own. It sees this environment and nothing else of ours. */
const ask = async (
  home: string,
  env: Readonly<Record<string, string>>,
  config: NonNullable<CodexOptions["config"]>,
): Promise<string> => {
  const codex = new Codex({
    env: { PATH: process.env["PATH"] ?? "", HOME: home, ...env, CODEX_HOME: home },
    config,
  });
  const thread = codex.startThread({
    skipGitRepoCheck: true,
    workingDirectory: home,
    model: "gpt-5.2-codex",
    sandboxMode: "read-only",
  });
  return (await thread.run("two and two?", { signal: AbortSignal.timeout(timeout / 2) }))
    .finalResponse;
};

describe.runIf(isInstalled).concurrent("@openai/codex-sdk through a gateway over our fetch", () => {
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

/** The kinds that Codex 0.163 can use against a backend of one's own, on nothing but what we share with it. */
const native: ReadonlyArray<string> = [
  "an API key in auth.json",
  "CODEX_API_KEY",
  "an agent identity JWT",
  "a provider's command",
  "a provider's env_key",
];

const runNatively = async (authority: TestAuthority, signIn: SignIn): Promise<string> => {
  const prepared = await signIn.prepare(authority);
  await using home = await makeHome(authority, prepared);
  const isAgent = signIn.name.includes("agent");
  return await ask(
    home.path,
    {
      CODEX_AGENT_IDENTITY_JWKS_BASE_URL: authority.chatgptBaseUrl,
      CODEX_AGENT_IDENTITY_AUTHAPI_BASE_URL: authority.chatgptBaseUrl,
      ...prepared.env,
    },
    // Codex's own default base URL does not move with chatgpt_base_url, as ours does.
    isAgent ? { openai_base_url: `${authority.chatgptBaseUrl}/codex` } : {},
  );
};

describe
  .runIf(isInstalled)
  .concurrent("@openai/codex-sdk on the files and variables that we share with it", () => {
    it.each(signIns.filter(({ name }) => native.includes(name)))(
      "runs a turn with $name",
      { timeout },
      async (signIn) => {
        await using authority = await startTestAuthority({ settings: { replyText: "four" } });
        expect(await runNatively(authority, signIn)).toBe("four");
      },
    );
  });
