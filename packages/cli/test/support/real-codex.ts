// The real Codex 0.171 beside agent-auth, with the same environment against the same authority. Both use their default URLs,
// which a proxy leads to the authority, and to nowhere else.
import { spawn } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { startTestAuthority } from "@agent-auth/test-authority";
import { findCodex } from "@agent-auth/tools/codex";
import { onTestFinished } from "vitest";
import { agentAuth, ended } from "./cli.ts";

const codex = findCodex();

/** Why the real Codex cannot run here; `undefined` if it can. */
export const missingCodex = "missing" in codex ? codex.missing : undefined;
if (missingCodex !== undefined) console.warn(`skipped: ${missingCodex}`);

export const timeout = 60_000;

const hosts = [
  "auth.openai.com",
  "chatgpt.com",
  "eu.chatgpt.com",
  "api.openai.com",
  "ab.chatgpt.com",
  "ab.openai-routing.example",
];

/** An authority, and a CODEX_HOME with this configuration. `AUTHORITY` in it becomes the URL of the authority. */
export const openCodexHome = async (config = "", env: Readonly<Record<string, string>> = {}) => {
  const authority = await startTestAuthority({
    tls: "self-signed",
    proxiedHosts: hosts,
    settings: { deviceIntervalSeconds: 1 },
  });
  // Codex refuses a CODEX_HOME in the temporary folder.
  const folder = join(import.meta.dirname, "../.results");
  await mkdir(folder, { recursive: true });
  const home = await mkdtemp(join(folder, "codex-"));
  onTestFinished(async () => {
    await authority.close();
    await rm(home, { recursive: true, force: true });
  });
  const certificate = join(home, "authority.pem");
  await writeFile(certificate, authority.certificate ?? "");
  await writeFile(join(home, "config.toml"), config.replaceAll("AUTHORITY", authority.url));
  const tokenFile = join(home, "identity.jwt");
  await writeFile(tokenFile, await authority.mintIdentityToken());
  const environment = {
    PATH: process.env["PATH"] ?? "",
    HOME: home,
    CODEX_HOME: home,
    CODEX_CA_CERTIFICATE: certificate,
    HTTPS_PROXY: authority.proxyUrl ?? "",
    BROWSER: "none",
    ...env,
  };
  const identity = {
    OPENAI_FEDERATION_RULE_ID: authority.addFederationRule(),
    OPENAI_IDENTITY_TOKEN_FILE: tokenFile,
  };
  const start = (program: readonly string[], env: Readonly<Record<string, string>> = {}) => {
    const [file = "", ...args] = program;
    return spawn(file, args, { cwd: home, env: { ...environment, ...env }, stdio: "pipe" });
  };
  const run = (program: readonly string[], env: Readonly<Record<string, string>> = {}) =>
    ended(start(program, env), { timeoutMs: timeout / 2 });
  return { authority, home, identity, run, start };
};

export const ours: readonly string[] = agentAuth;
export const theirs: readonly string[] = ["path" in codex ? codex.path : ""];

/** `codex exec` with one short prompt. */
export const codexExec: readonly string[] = [
  ...theirs,
  "exec",
  "--skip-git-repo-check",
  "-s",
  "read-only",
  "hi",
];
