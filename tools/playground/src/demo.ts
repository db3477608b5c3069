// The main job, end to end, through the real binary in child processes: `npm run demo`. It explains each step to a
// newcomer, checks what each command printed, and exits with 1 if any step went wrong.
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
    "An authority, and an agent identity",
    `A complete authority now listens on ${authority.url}; nothing leaves this machine.`,
    "It minted an agent identity: a signed JWT that carries the agent's own private key.",
  );
  const jwt = await authority.mintAgentIdentityJwt({ email: "demo@example.com", planType: "pro" });
  story.expect("the token is a JWT of three parts", jwt.split(".").length === 3);

  story.step(
    "Sign in",
    "The token arrives on stdin, is verified against the authority's JWKS, then saved in auth.json.",
  );
  const login = await shell.run(["login", "--with-agent-identity"], jwt);
  story.expect(
    "login succeeds",
    login.exitCode === 0 && login.stderr.includes("Successfully logged in"),
  );
  story.expect("auth.json was written", await exists(authJson));

  story.step(
    "Who am I?",
    "Status loads the credential as the next request would: the JWT is verified again.",
  );
  const status = await shell.run(["login", "status"]);
  story.expect(
    "status names the account",
    status.exitCode === 0 && status.stderr.includes("demo@example.com"),
  );
  const json = await shell.run(["login", "status", "--json"]);
  story.expect("status speaks JSON to scripts", json.exitCode === 0 && isObject(json.stdout));
  const key = claimsOf(jwt).agent_private_key;
  story.expect("the private key appears nowhere", !`${status.stderr}${json.stdout}`.includes(key));

  story.step(
    "An authenticated model request",
    "The agent registered a task and signs each request with an AgentAssertion header; the answer streams.",
  );
  const body = '{"model":"gpt-5","input":"Say hello.","stream":true}';
  const answer = await shell.run(["api", "responses", "-d", body]);
  story.expect(
    "the stream arrives whole",
    answer.exitCode === 0 && answer.stdout.includes("response.completed"),
  );
  const assertion = authority.requestsTo("responses").at(-1)?.headers["authorization"] ?? "";
  story.expect("the request carried an AgentAssertion", assertion.startsWith("AgentAssertion "));

  story.step(
    "A tampered token is refused",
    "Somebody gives the agent a better plan: the signature no longer fits.",
  );
  const before = await readFile(authJson, "utf8");
  const tampered = await shell.run(["login", "--with-agent-identity"], tamper(jwt));
  story.expect("login fails with exit code 1", tampered.exitCode === 1);
  story.expect(
    "and says why in plain words",
    tampered.stderr.includes("failed to verify agent identity JWT"),
  );
  story.expect("the earlier sign-in is untouched", (await readFile(authJson, "utf8")) === before);

  story.step(
    "The authority rotates its signing key",
    "A token signed by the new key is accepted: the JWKS is fetched again.",
  );
  await authority.rotateSigningKey();
  const rotated = await authority.mintAgentIdentityJwt({ email: "rotated@example.com" });
  const again = await shell.run(["login", "--with-agent-identity"], rotated);
  story.expect("the new key is picked up", again.exitCode === 0);
  const rotatedStatus = await shell.run(["login", "status"]);
  story.expect(
    "status shows the new identity",
    rotatedStatus.stderr.includes("rotated@example.com"),
  );

  story.step(
    "Sign out",
    "The credential is removed; a request then fails before anything is sent.",
  );
  const logout = await shell.run(["logout"]);
  story.expect("logout succeeds", logout.exitCode === 0 && !(await exists(authJson)));
  const requests = authority.requestsTo("responses").length;
  const refused = await shell.run(["api", "responses", "-d", body]);
  story.expect(
    "a signed-out request is refused, unsent",
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

/** Another payload under the same signature. */
function tamper(token: string): string {
  const [header, , signature] = token.split(".");
  const forged = Buffer.from(JSON.stringify({ ...claimsOf(token), plan_type: "enterprise" }));
  return `${header}.${forged.toString("base64url")}.${signature}`;
}
