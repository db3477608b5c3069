// `npm run demo`: signs an agent in and sends a model request with the real binary, against a local authority. It explains
// each step, checks each result, and exits with 1 if a check fails.
import { startTestAuthority } from "@agent-auth/test-authority";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { makeNarrator } from "./narrator.ts";
import { makeShell } from "./shell.ts";

const Claims = z.looseObject({ agent_private_key: z.string().min(1) });

const home = await mkdtemp(join(tmpdir(), "agent-auth-demo-"));
await using authority = await startTestAuthority();
const shell = makeShell(home);
const story = makeNarrator();

const exists = (path: string): Promise<boolean> =>
  readFile(path).then(
    () => true,
    () => false,
  );
const authJson = join(home, "auth.json");

try {
  await writeFile(join(home, "config.toml"), `chatgpt_base_url = "${authority.chatgptBaseUrl}"\n`);

  story.step(
    "Start a local authority and mint an agent identity",
    `A local OAuth authority and model backend listens on ${authority.url}; nothing leaves this machine.`,
    "It issued an agent identity: a signed JWT that contains the agent's private key.",
  );
  const jwt = await authority.mintAgentIdentityJwt({ email: "demo@example.com", planType: "pro" });
  story.expect("the token is a JWT with three parts", jwt.split(".").length === 3);

  story.step(
    "Sign in",
    "The token is read from stdin, verified with the authority's JWKS, and saved in auth.json.",
  );
  const login = await shell.run(["login", "--with-agent-identity"], jwt);
  story.expect(
    "login succeeds",
    login.exitCode === 0 && login.stderr.includes("Successfully logged in"),
  );
  story.expect("auth.json was written", await exists(authJson));

  story.step(
    "Show the status",
    "The status command loads the credential and verifies the JWT again, as every request does.",
  );
  const status = await shell.run(["login", "status"]);
  story.expect(
    "status names the account",
    status.exitCode === 0 && status.stderr.includes("demo@example.com"),
  );
  const json = await shell.run(["login", "status", "--json"]);
  story.expect("status --json prints JSON", json.exitCode === 0 && isObject(json.stdout));
  const key = claimsOf(jwt).agent_private_key;
  story.expect(
    "the output does not contain the private key",
    !`${status.stderr}${json.stdout}`.includes(key),
  );

  story.step(
    "Send an authenticated model request",
    "The agent registers a task and signs the request with an AgentAssertion header; the response is streamed.",
  );
  const body = '{"model":"gpt-5","input":"Say hello.","stream":true}';
  const answer = await shell.run(["api", "responses", "-d", body]);
  story.expect(
    "the stream is complete",
    answer.exitCode === 0 && answer.stdout.includes("response.completed"),
  );
  const assertion = authority.requestsTo("responses").at(-1)?.headers["authorization"] ?? "";
  story.expect("the request had an AgentAssertion header", assertion.startsWith("AgentAssertion "));

  story.step(
    "Try a tampered token",
    "The payload names another plan, so the signature does not match.",
  );
  const before = await readFile(authJson, "utf8");
  const tampered = await shell.run(["login", "--with-agent-identity"], tamper(jwt));
  story.expect("login fails with exit code 1", tampered.exitCode === 1);
  story.expect(
    "the error names the reason",
    tampered.stderr.includes("failed to verify agent identity JWT"),
  );
  story.expect("the stored sign-in is unchanged", (await readFile(authJson, "utf8")) === before);

  story.step(
    "Rotate the signing key",
    "The authority signs with a new key. Verifying a new token fetches the JWKS again.",
  );
  await authority.rotateSigningKey();
  const rotated = await authority.mintAgentIdentityJwt({ email: "rotated@example.com" });
  const again = await shell.run(["login", "--with-agent-identity"], rotated);
  story.expect("the token signed with the new key is accepted", again.exitCode === 0);
  const rotatedStatus = await shell.run(["login", "status"]);
  story.expect(
    "status shows the new identity",
    rotatedStatus.stderr.includes("rotated@example.com"),
  );

  story.step(
    "Sign out",
    "The credential is removed. The next request fails before anything is sent.",
  );
  const logout = await shell.run(["logout"]);
  story.expect("logout succeeds", logout.exitCode === 0 && !(await exists(authJson)));
  const requests = authority.requestsTo("responses").length;
  const refused = await shell.run(["api", "responses", "-d", body]);
  story.expect(
    "a request without a sign-in fails and is not sent",
    refused.exitCode !== 0 && authority.requestsTo("responses").length === requests,
  );
} finally {
  await rm(home, { recursive: true, force: true });
}
story.finish();

function isObject(text: string): boolean {
  const value: unknown = JSON.parse(text);
  return typeof value === "object" && value !== null;
}

function claimsOf(token: string): z.infer<typeof Claims> {
  const [, payload = ""] = token.split(".");
  return Claims.parse(JSON.parse(Buffer.from(payload, "base64url").toString()));
}

/** Changes the payload and keeps the signature. */
function tamper(token: string): string {
  const [header, , signature] = token.split(".");
  const forged = Buffer.from(JSON.stringify({ ...claimsOf(token), plan_type: "enterprise" }));
  return `${header}.${forged.toString("base64url")}.${signature}`;
}
