import { spawn } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { Codex, type CodexOptions } from "@openai/codex-sdk";
import { startTestAuthority, type TestAuthority } from "@agent-auth/test-authority";

const require = createRequire(import.meta.url);
const platform = `${process.platform}-${process.arch}`;

const findLauncher = (): string | undefined => {
  try {
    require.resolve(`@openai/codex-${platform}/package.json`);
    return require.resolve("@openai/codex/bin/codex.js");
  } catch {
    return undefined;
  }
};

const launcher = findLauncher();

/** Why tests against the real Codex cannot run here; `undefined` where they can. */
export const missingCodex =
  launcher === undefined ? `the Codex binary for ${platform} is not installed` : undefined;

/** Milliseconds. */
export const codexTimeout = 60_000;

/** An authority that the real Codex takes a person's sign-in from: over https, and it always answers "four". */
export const startCodexAuthority = (
  options: Parameters<typeof startTestAuthority>[0] = {},
): Promise<TestAuthority> =>
  startTestAuthority({
    tls: "self-signed",
    ...options,
    settings: { replyText: "four", deviceIntervalSeconds: "1", ...options.settings },
  });

/** What points a program at the authority with all of its requests, and makes it trust the certificate. */
export const authorityVariables = async (
  authority: TestAuthority,
  home: string,
): Promise<Readonly<Record<string, string>>> => {
  const certificate = join(home, "authority.pem");
  await writeFile(certificate, authority.certificate ?? "");
  return {
    CODEX_HOME: home,
    CODEX_CA_CERTIFICATE: certificate,
    CODEX_REFRESH_TOKEN_URL_OVERRIDE: `${authority.url}/oauth/token`,
    CODEX_AUTHAPI_BASE_URL: authority.accountsBaseUrl,
    CODEX_AGENT_IDENTITY_JWKS_BASE_URL: authority.chatgptBaseUrl,
    CODEX_AGENT_IDENTITY_AUTHAPI_BASE_URL: authority.chatgptBaseUrl,
  };
};

/** Codex's own default base URL does not move with chatgpt_base_url, as ours does. */
export const codexBackend = (authority: TestAuthority) => ({
  openai_base_url: `${authority.chatgptBaseUrl}/codex`,
});

const environment = (home: string, env: Readonly<Record<string, string>>) => ({
  PATH: process.env["PATH"] ?? "",
  HOME: home,
  ...env,
  CODEX_HOME: home,
});

/** One turn of the real Codex SDK in a home. It sees this environment and nothing else of ours. */
export const ask = async (
  home: string,
  env: Readonly<Record<string, string>>,
  config: NonNullable<CodexOptions["config"]>,
  model?: string,
): Promise<string> => {
  const codex = new Codex({ env: environment(home, env), config });
  const thread = codex.startThread({
    skipGitRepoCheck: true,
    workingDirectory: home,
    sandboxMode: "read-only",
    ...(model === undefined ? {} : { model }),
  });
  return (await thread.run("two and two?", { signal: AbortSignal.timeout(codexTimeout / 2) }))
    .finalResponse;
};

export interface CodexEnded {
  readonly status: number | null;
  readonly stderr: string;
}

/** Runs the real Codex command line in a home, with `input` on its standard input. */
export const runCodex = (
  home: string,
  env: Readonly<Record<string, string>>,
  args: ReadonlyArray<string>,
  input = "",
): Promise<CodexEnded> =>
  new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [launcher ?? "", ...args], {
      env: environment(home, env),
      stdio: ["pipe", "ignore", "pipe"],
      timeout: codexTimeout / 2, // a signal, which the launcher passes on to the binary
    });
    let stderr = "";
    child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
    child.once("error", reject);
    child.once("close", (status) => resolve({ status, stderr }));
    child.stdin.end(input);
  });
