// The real Codex 0.171 and agent-auth, with the same environment against the same authority. Both use their default URLs,
// which a proxy leads to the authority, and to nowhere else.
import { spawn, spawnSync } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  gatewayClientId,
  startTestAuthority,
  type TestAuthority,
} from "@agent-auth/test-authority";
import { describe, expect, it, onTestFinished } from "vitest";
import { binary, ended } from "./support/cli.ts";

const codex = process.env["CODEX_BINARY"];

const findProblem = (): string | undefined => {
  if (codex === undefined) return "CODEX_BINARY does not name a Codex of 0.171 or later";
  const { stdout } = spawnSync(codex, ["--version"], { encoding: "utf8", timeout: 10_000 });
  const minor = Number(/\b0\.(\d+)\./.exec(stdout)?.[1] ?? 0);
  return minor < 171 ? `${stdout.trim()} is older than 0.171` : undefined;
};

const missingCodex = findProblem();
if (missingCodex !== undefined) console.warn(`skipped: ${missingCodex}`);

const timeout = 60_000;

const hosts = ["auth.openai.com", "chatgpt.com", "api.openai.com", "ab.chatgpt.com"];

const open = async (config = "") => {
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
  };
  const identity = {
    OPENAI_FEDERATION_RULE_ID: authority.addFederationRule(),
    OPENAI_IDENTITY_TOKEN_FILE: tokenFile,
  };
  const run = (program: readonly string[], env: Readonly<Record<string, string>>) => {
    const [file = "", ...args] = program;
    return ended(spawn(file, args, { cwd: home, env: { ...environment, ...env }, stdio: "pipe" }), {
      timeoutMs: timeout / 2,
    });
  };
  return { authority, home, identity, run };
};

const ours = [process.execPath, binary];
const theirs = [codex ?? ""];

/** What both are asked for, and their first line. */
const status = async (
  { authority, run }: Awaited<ReturnType<typeof open>>,
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
    const setup = await open();
    const env = { ...setup.identity, OPENAI_WORKLOAD_IDENTITY_CONTEXT: " {} " };
    const { codexAnswer, ourAnswer } = await status(setup, env);
    expect(codexAnswer).toMatchObject({ exitCode: 0, line: "Logged in using workload identity" });
    expect(codexAnswer.exchanges).toHaveLength(1);
    expect(ourAnswer).toEqual(codexAnswer);
  });

  it("ask a SPIFFE Workload API and exchange its token with the same request", async () => {
    const setup = await open();
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
    const setup = await open();
    const { codexAnswer, ourAnswer } = await status(setup, env);
    expect(codexAnswer.exitCode).toBe(1);
    expect(ourAnswer.exitCode).toBe(1);
    expect(ourAnswer.line).toContain(codexAnswer.line);
    expect([...codexAnswer.exchanges, ...ourAnswer.exchanges]).toEqual([]);
  });

  it("report a refused exchange in the same words", async () => {
    const setup = await open();
    setup.authority.behave("workloadExchange", { status: 400, body: "canary" });
    const { codexAnswer, ourAnswer } = await status(setup, setup.identity);
    expect(codexAnswer.line).toContain("token exchange was rejected with HTTP 400");
    expect(ourAnswer.line).toContain(codexAnswer.line);
    expect([codexAnswer.exchanges.length, ourAnswer.exchanges.length]).toEqual([1, 1]);
  });

  it("make one exchange for a process that sends a model request", async () => {
    const { authority, identity, run } = await open();
    await run([...theirs, "exec", "--skip-git-repo-check", "-s", "read-only", "hi"], identity);
    expect(authority.count("workloadExchange")).toBe(1);
    authority.clearRequests();
    const { exitCode } = await run([...ours, "api", "/models"], identity);
    expect([exitCode, authority.count("workloadExchange")]).toEqual([0, 1]);
    expect(authority.requests.map(({ headers }) => headers.host)).toContain("chatgpt.com");
  });

  it("share a sign-in to a gateway: Codex sends the token that we stored", async () => {
    const { authority, home, run } = await open(gatewayConfig);
    const child = run([...ours, "login", "--provider", "gw", "--device-auth"], {});
    await authority.waitForRequest("gatewayToken");
    authority.approveAllGatewayDevices();
    expect((await child).exitCode).toBe(0);
    const stored = await readFile(join(home, "secrets/gateway_oauth.json"), "utf8");
    const token = /gw-access-[\w-]+/.exec(stored)?.[0];
    // The gateway is on loopback, where Codex uses a proxy as well.
    const direct = { NO_PROXY: "127.0.0.1" };
    await run([...theirs, "exec", "--skip-git-repo-check", "-s", "read-only", "hi"], direct);
    const sent = authority.requests.filter(({ path }) => path === "/gateway/v1/responses");
    expect(sent.map(({ headers }) => headers.authorization)).toContain(`Bearer ${token}`);
  });
});

const gatewayConfig = `
model_provider = "gw"
[model_providers.gw]
name = "Gateway"
base_url = "AUTHORITY/gateway/v1"
wire_api = "responses"
request_max_retries = 0
stream_max_retries = 0
[model_providers.gw.gateway_oauth]
authorization_url = "AUTHORITY/gateway/authorize"
device_authorization_url = "AUTHORITY/gateway/device"
token_url = "AUTHORITY/gateway/token"
client_id = "${gatewayClientId}"
scopes = ["models"]
credentials_store = "file"
`;
