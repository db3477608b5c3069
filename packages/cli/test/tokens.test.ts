import { startTestAuthority, type TestAuthority } from "@agent-auth/test-authority";
import { execFileSync } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { binary, CliHome } from "./support/cli.ts";

let authority: TestAuthority;
let home: CliHome;
beforeAll(async () => {
  authority = await startTestAuthority();
  home = await CliHome.make(
    `chatgpt_base_url = "${authority.chatgptBaseUrl}"\nopenai_base_url = "${authority.openaiBaseUrl}"\n`,
  );
});
afterAll(async () => {
  await home[Symbol.asyncDispose]();
  await authority.close();
});

const key = "sk-proj-1234567890ABCDE";

describe("token", () => {
  it("gives a pipe the whole key, and JSON to a script", async () => {
    const env = { CODEX_API_KEY: key };
    const text = await home.run(["token"], { env });
    expect([text.exitCode, text.stdout, text.stderr]).toEqual([0, `${key}\n`, ""]);
    const json = await home.run(["token", "--json"], { env });
    expect(JSON.parse(json.stdout)).toEqual({
      method: "apiKey",
      scheme: "Bearer",
      token: key,
      expiresAt: null,
    });
  });

  it("gives an assertion for an agent, good for the server", async () => {
    const env = { CODEX_AGENT_IDENTITY: await authority.mintAgentIdentityJwt() };
    const { stdout } = await home.run(["token", "--json"], { env });
    const answer = JSON.parse(stdout);
    expect(answer).toMatchObject({ method: "agentIdentity", scheme: "AgentAssertion" });
    const response = await fetch(`${authority.chatgptBaseUrl}/codex/models`, {
      headers: {
        authorization: `AgentAssertion ${answer.token}`,
        "chatgpt-account-id": authority.account.accountId,
      },
    });
    expect(response.status).toBe(200);
  });

  it("says that requests carry none, or that no account is signed in", async () => {
    const none = await home.run(
      [
        "token",
        "-c",
        'model_provider="x"',
        "-c",
        'model_providers.x.base_url="http://127.0.0.1:1"',
      ],
      { env: { CODEX_API_KEY: key } },
    );
    expect(none.stderr).toContain("requests to this provider carry no token");
    expect(none.exitCode).toBe(1);
    const signedOut = await home.run(["token"]);
    expect(signedOut.exitCode).toBe(4);
  });
});

describe("headers", () => {
  it("prints lines, a curl configuration, or JSON with the base URL", async () => {
    const env = { CODEX_API_KEY: key };
    const lines = await home.run(["headers"], { env });
    expect(lines.stdout).toBe(`Authorization: Bearer ${key}\n`);
    const curl = await home.run(["headers", "--curl"], { env });
    expect(curl.stdout).toBe(`header = "Authorization: Bearer ${key}"\n`);
    const json = await home.run(["headers", "--json"], { env });
    expect(JSON.parse(json.stdout)).toEqual({
      baseUrl: authority.openaiBaseUrl,
      headers: { Authorization: `Bearer ${key}` },
    });
    const both = await home.run(["headers", "--json", "--curl"], { env });
    expect(both.exitCode).toBe(2);
  });
});

describe("verify", () => {
  it("prints the owner of a valid token, without its private key", async () => {
    const agent = await authority.mintAgentIdentity();
    const text = await home.run(["verify"], { stdin: agent.jwt });
    expect(text.stdout).toContain(`The token is valid.\n  agent:     ${agent.agentRuntimeId}\n`);
    const json = await home.run(["verify", "--json"], { stdin: agent.jwt });
    expect(JSON.parse(json.stdout)).toMatchObject({
      valid: true,
      identity: { agentRuntimeId: agent.agentRuntimeId, email: agent.account.email },
    });
    expect(text.stdout + json.stdout).not.toContain(agent.privateKey);
    expect([text.exitCode, json.exitCode]).toEqual([0, 0]);
  });

  it("accepts keys from a file or URL, and another issuer and audience", async () => {
    const jwt = await authority.mintAgentIdentityJwt({ issuer: "me", audience: "you" });
    const file = join(home.path, "jwks.json");
    await writeFile(file, JSON.stringify(await authority.jwks()));
    const url = `${authority.chatgptBaseUrl}/wham/agent-identities/jwks`;
    for (const from of [file, url]) {
      const args = ["verify", "--jwks", from, "--issuer", "me", "--audience", "you"];
      expect((await home.run(args, { stdin: jwt })).exitCode).toBe(0);
    }
    const wrong = await home.run(["verify", "--json"], { stdin: jwt });
    expect(JSON.parse(wrong.stdout)).toMatchObject({
      valid: false,
      error: { code: "AGENT_IDENTITY_JWT_ISSUER_MISMATCH" },
    });
    expect(wrong.exitCode).toBe(1);
  });

  it.each([
    ["a file that is not there", ["--jwks", "/no/such/file"], /cannot read \/no\/such\/file/u],
    ["a file that is not a key set", ["--jwks", binary], /failed to decode agent identity JWKS/u],
    ["a folder", ["--jwks", "/"], /cannot read \/: it is a folder/u],
  ])("names %s", async (_, flags, words) => {
    const jwt = await authority.mintAgentIdentityJwt();
    const { exitCode, stderr } = await home.run(["verify", ...flags], { stdin: jwt });
    expect(stderr).toMatch(words);
    expect(exitCode).toBe(1);
  });
});

describe.skipIf(process.platform === "win32")(
  "verify --jwks with something that is not a file",
  () => {
    it("refuses a FIFO without a writer at once", async () => {
      const fifo = join(home.path, "fifo");
      execFileSync("mkfifo", [fifo]);
      const jwt = await authority.mintAgentIdentityJwt();
      const result = await home.run(["verify", "--jwks", fifo], { stdin: jwt });
      expect(result.stderr).toBe(
        `Error verifying the token: cannot read ${fifo}: it is not a regular file. Name a JWKS file, or a URL that starts with https://.\n`,
      );
      expect([result.exitCode, result.stdout]).toEqual([1, ""]);
    });

    it("refuses a device", async () => {
      const jwt = await authority.mintAgentIdentityJwt();
      const { exitCode, stderr } = await home.run(["verify", "--jwks", "/dev/zero"], {
        stdin: jwt,
      });
      expect(stderr).toMatch(/cannot read \/dev\/zero: it is not a regular file/u);
      expect(exitCode).toBe(1);
    });
  },
);

describe.skipIf(process.platform === "win32")("assertion verify --public-key", () => {
  it("refuses a FIFO without a writer at once", async () => {
    const fifo = join(home.path, "key-fifo");
    execFileSync("mkfifo", [fifo]);
    const env = { CODEX_AGENT_IDENTITY: await authority.mintAgentIdentityJwt() };
    const stdin = `AgentAssertion ${(await home.run(["token"], { env })).stdout}`;
    const args = ["assertion", "verify", "--public-key", fifo];
    const { exitCode, stderr } = await home.run(args, { stdin });
    expect(stderr).toContain(`cannot read ${fifo}: it is not a regular file`);
    expect(exitCode).toBe(1);
  });
});

describe("decode", () => {
  it("shows claims and says that nothing is verified", async () => {
    const agent = await authority.mintAgentIdentity({ signature: "forgedKey" });
    const text = await home.run(["decode"], { stdin: agent.jwt });
    expect(text.stdout).toMatch(/^Not verified: /u);
    const json = await home.run(["decode", "--json"], { stdin: agent.jwt });
    expect(JSON.parse(json.stdout)).toMatchObject({
      verified: false,
      header: { alg: "RS256" },
      unverifiedIdentity: { agentRuntimeId: agent.agentRuntimeId },
    });
    expect(text.stdout + json.stdout).not.toContain(agent.privateKey);
  });

  it("rejects text that is not a JWT", async () => {
    const { exitCode, stderr } = await home.run(["decode"], { stdin: "nonsense" });
    expect(stderr).toContain("invalid agent identity JWT format");
    expect(exitCode).toBe(1);
  });
});

describe("jwks", () => {
  it("shows every key and why some do not count", async () => {
    authority.publishKeys([
      { kty: "EC", kid: "curve" },
      { kty: "RSA", n: "AQAB", e: "AQAB" },
    ]);
    const { exitCode, stdout } = await home.run(["jwks", "--json"]);
    authority.publishKeys([]);
    const { from, keys } = JSON.parse(stdout);
    expect(from).toBe(`${authority.chatgptBaseUrl}/wham/agent-identities/jwks`);
    expect(keys).toEqual([
      expect.objectContaining({ kid: "curve", usable: false }),
      expect.objectContaining({ kid: null, usable: false, reason: "it has no id" }),
      expect.objectContaining({
        kty: "RSA",
        alg: "RS256",
        bits: 2048,
        usable: true,
        reason: null,
      }),
    ]);
    expect(exitCode).toBe(0);
  });

  const named = / Name a JWKS file, or a URL that starts with https:\/\/\.\n$/u;
  it.each([
    ["a file that is not a key set", [binary], named],
    ["plain http to another machine", ["http://jwks.example/keys"], named],
    ["a URL that nothing answers", ["http://127.0.0.1:1/keys"], / Check that URL and the network/u],
    ["a set without a key that counts", [], / Check that chatgpt_base_url points at/u],
  ])(
    "refers to the file or URL that was given, not to the configuration: %s",
    async (_, args, words) => {
      if (args.length === 0)
        authority.behave("jwks", { status: 200, body: '{"keys":[]}' }, { times: 1 });
      const { exitCode, stderr } = await home.run(["jwks", ...args]);
      expect(stderr).toMatch(words);
      expect(exitCode).toBe(1);
    },
  );

  it("fails if the key asked for is not there", async () => {
    const { exitCode, stderr } = await home.run(["jwks", "--kid", "missing"]);
    expect(stderr).toContain("it has no usable key missing");
    expect(exitCode).toBe(1);
  });
});

describe("verify, without a token to check", () => {
  it.each([
    ["a broken configuration", "broken = \n", [], /config\.toml:1/u],
    ["no keys", "", ["--jwks", "no-such-file.json"], /no-such-file\.json/u],
  ])("says so: %s", async (_, config, flags, words) => {
    await using home = await CliHome.make(config);
    const { exitCode, stdout, stderr } = await home.run(["verify", "--json", ...flags], {
      stdin: "ey.ey.ey",
    });
    expect(stderr).toMatch(/^Error verifying the token: /u);
    expect(stderr).toMatch(words);
    expect(stderr).not.toContain("refused");
    expect([exitCode, JSON.parse(stdout).valid]).toEqual([1, false]);
  });

  it("says in a sentence what to pipe instead", async () => {
    await using home = await CliHome.make();
    const { stderr } = await home.run(["verify"], { stdin: "one\ntwo" });
    expect(stderr).toBe(
      "Error verifying the token: the agent identity JWT on stdin has more than one line. Pipe the agent identity JWT alone, as one line.\n",
    );
  });
});

describe("assertion verify", () => {
  it("accepts what this program itself would send", async () => {
    const agent = await authority.mintAgentIdentity();
    const env = { CODEX_AGENT_IDENTITY: agent.jwt };
    const headers = await home.run(["headers"], { env });
    const line = headers.stdout.split("\n").find((one) => one.startsWith("Authorization")) ?? "";
    const { exitCode, stdout } = await home.run(["assertion", "verify", "--json"], {
      env,
      stdin: line,
    });
    expect(JSON.parse(stdout)).toMatchObject({
      valid: true,
      agentRuntimeId: agent.agentRuntimeId,
      publicKey: expect.stringMatching(/^ssh-ed25519 /u),
    });
    expect(exitCode).toBe(0);
  });

  it("rejects another agent's key, another task, and text that is not an assertion", async () => {
    const env = { CODEX_AGENT_IDENTITY: await authority.mintAgentIdentityJwt() };
    const stdin = `AgentAssertion ${(await home.run(["token"], { env })).stdout}`;
    const other = { CODEX_AGENT_IDENTITY: await authority.mintAgentIdentityJwt() };
    const wrongKey = await home.run(["assertion", "verify", "--json"], { env: other, stdin });
    expect(JSON.parse(wrongKey.stdout)).toMatchObject({
      error: { code: "AGENT_IDENTITY_ASSERTION_SIGNATURE_INVALID" },
    });
    const wrongTask = await home.run(["assertion", "verify", "--task", "t"], { env, stdin });
    const nonsense = await home.run(["assertion", "verify"], { env, stdin: "Bearer x" });
    const noKey = await home.run(["assertion", "verify"], { stdin });
    expect(noKey.stderr).toContain("Name one with --public-key.");
    for (const result of [wrongKey, wrongTask, nonsense, noKey]) {
      expect(result.exitCode).toBe(1);
      expect(result.stderr.trimEnd().split("\n")).toHaveLength(1);
    }
  });
});
