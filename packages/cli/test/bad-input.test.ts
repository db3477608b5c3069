import { startTestAuthority, type TestAuthority } from "@agent-auth/test-authority";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { CliHome, type Ended } from "./support/cli.ts";

type Authority = TestAuthority;

const homeAt = (authority: Authority) =>
  CliHome.make(`chatgpt_base_url = "${authority.chatgptBaseUrl}"\n`);

/**
 * The one line of a failure. Fails where there are more, where the exit code is not 1, where anything is on stdout or
 * a stack trace shows.
 */
const complaintOf = (result: Ended): string => {
  const lines = result.stderr.trimEnd().split("\n");
  const complaints = lines.filter((line) => !line.startsWith("Reading "));
  expect(complaints).toHaveLength(1);
  expect(result.stderr).not.toMatch(/\n\s+at |node:internal|\.ts:\d|\.cjs:\d/u);
  expect([result.exitCode, result.stdout]).toEqual([1, ""]);
  return complaints.join("");
};

const withoutSecrets = (result: Ended, jwt: string) => {
  const [, payload = "", signature = ""] = jwt.split(".");
  const said = result.stderr + result.stdout;
  for (const secret of [jwt, payload, signature]) {
    if (secret !== "") expect(said).not.toContain(secret);
  }
  expect(said).not.toContain("MC4CAQ");
};

const loginWith = async (
  authority: Authority,
  token: string,
  env: Readonly<Record<string, string>> = {},
) => {
  await using home = await homeAt(authority);
  await home.writeAuth('{"OPENAI_API_KEY": "sk-earlier",  "future": 1}');
  const before = await home.readAuth();
  const result = await home.run(["login", "--with-agent-identity"], { stdin: token, env });
  expect(await home.readAuth()).toBe(before);
  withoutSecrets(result, token);
  return result;
};

describe.concurrent("a bad token", () => {
  it.each([
    ["no JWT", () => Promise.resolve("not-a-token"), /invalid agent identity JWT format/u],
    [
      "expired",
      (a: Authority) => a.mintAgentIdentityJwt({ expiresInSeconds: -120 }),
      /failed to verify agent identity JWT.*expired/u,
    ],
    [
      "of another issuer",
      (a: Authority) => a.mintAgentIdentityJwt({ issuer: "https://evil.example" }),
      /failed to verify agent identity JWT.*issuer/u,
    ],
    [
      "of an unknown key",
      (a: Authority) => a.mintAgentIdentityJwt({ signature: "unknownKey" }),
      /agent identity JWT kid key-[0-9a-f]+ is not trusted/u,
    ],
    [
      "forged under a known key id",
      (a: Authority) => a.mintAgentIdentityJwt({ signature: "forgedKey" }),
      /failed to verify agent identity JWT.*signature/u,
    ],
    [
      "unsigned (alg none)",
      (a: Authority) => a.mintAgentIdentityJwt({ signature: "none" }),
      /invalid agent identity JWT format: a part of it is empty/u,
    ],
    [
      "unsigned (alg none), with something in the signature's place",
      async (a: Authority) => `${await a.mintAgentIdentityJwt({ signature: "none" })}AAAA`,
      /failed to verify agent identity JWT: algorithm none is not allowed, expected RS256/u,
    ],
    [
      "keyed with HS256",
      (a: Authority) => a.mintAgentIdentityJwt({ signature: "hs256" }),
      /failed to verify agent identity JWT: algorithm HS256 is not allowed, expected RS256/u,
    ],
    [
      "without a kid",
      (a: Authority) => a.mintAgentIdentityJwt({ kid: null }),
      /agent identity JWT header does not include a kid/u,
    ],
  ])("%s is refused in one line", async (_, mint, words) => {
    await using authority = await startTestAuthority();
    expect(complaintOf(await loginWith(authority, await mint(authority)))).toMatch(words);
  });

  it("is refused by login status, with the variable that it belongs in", async () => {
    await using authority = await startTestAuthority();
    await using home = await homeAt(authority);
    const jwt = await authority.mintAgentIdentityJwt({ expiresInSeconds: -120 });
    for (const variable of ["CODEX_AGENT_IDENTITY", "CODEX_ACCESS_TOKEN"]) {
      const result = await home.run(["login", "status"], { env: { [variable]: jwt } });
      expect(complaintOf(result)).toMatch(/^Error checking login status: .*expired/u);
      expect(result.stderr).toMatch(
        new RegExp(` Get a new token\\. Set it in ${variable}\\.\\n$`, "u"),
      );
      withoutSecrets(result, jwt);
    }
    expect(await home.readAuth()).toBeNull();
  });

  it.each(["login status", "token", "headers", "api models", "exec -- true", "proxy"])(
    "that is stored is refused by %s, with the command that stores another one",
    async (line) => {
      await using authority = await startTestAuthority();
      await using home = await homeAt(authority);
      const jwt = await authority.mintAgentIdentityJwt({ expiresInSeconds: -120 });
      await home.writeAuth({ auth_mode: "agentIdentity", agent_identity: jwt });
      const { exitCode, stderr } = await home.run(line.split(" "));
      expect(stderr).toMatch(
        / Get a new token\. Then run: agent-auth login --with-agent-identity\n$/u,
      );
      expect(exitCode).toBe(line === "login status" ? 1 : 4);
    },
  );

  it("that was piped in is refused without a command", async () => {
    await using authority = await startTestAuthority();
    await using home = await homeAt(authority);
    const jwt = await authority.mintAgentIdentityJwt({ expiresInSeconds: -120 });
    const env = { CODEX_AGENT_IDENTITY: await authority.mintAgentIdentityJwt() };
    const { stderr } = await home.run(["verify"], { stdin: jwt, env });
    expect(stderr).toMatch(/ Get a new token\.\n$/u);
  });
});

describe.concurrent("an auth.json that cannot be read", () => {
  it("is repaired by the command that the hint names", async () => {
    await using home = await CliHome.make();
    await home.writeAuth("{broken");
    const { stderr } = await home.run(["login", "status"]);
    expect(stderr).toMatch(
      / remove it and sign in again: agent-auth logout && agent-auth login\n$/u,
    );
    expect((await home.run(["logout"])).exitCode).toBe(0);
    const login = await home.run(["login", "--with-api-key"], { stdin: "sk-0123456789" });
    expect(login.exitCode).toBe(0);
  });
});

describe.concurrent("a key in the environment that the server refuses", () => {
  it("leads to a hint to correct the variable, because a login would have no effect", async () => {
    await using authority = await startTestAuthority();
    await using home = await CliHome.make(`openai_base_url = "${authority.openaiBaseUrl}"\n`);
    const env = { CODEX_API_KEY: "sk-unknown" };
    const { exitCode, stderr } = await home.run(["api", "models"], { env });
    expect(stderr).toMatch(/401 Unauthorized\. Correct or unset CODEX_API_KEY\.\n$/u);
    expect(exitCode).toBe(4);
  });
});

describe.concurrent("a provider's own key that the server refuses", () => {
  it("is named by the hint, also if other variables are set", async () => {
    await using authority = await startTestAuthority();
    await using home = await CliHome.make(
      `model_provider = "own"\n[model_providers.own]\nname = "own"\nbase_url = "${authority.openaiBaseUrl}"\nenv_key = "OWN_KEY"\n`,
    );
    const env = { OWN_KEY: "sk-unknown", CODEX_API_KEY: "sk-unrelated" };
    const { exitCode, stderr } = await home.run(["api", "models"], { env });
    expect(stderr).toMatch(/401 Unauthorized\. Correct OWN_KEY\.\n$/u);
    expect(exitCode).toBe(4);
  });
});

describe.concurrent("a JWKS endpoint", () => {
  it.each([
    ["that answers an error", { status: 503 }, /agent identity JWKS endpoint returned an error/u],
    ["that answers HTML", "html", /failed to decode agent identity JWKS/u],
    ["that answers broken JSON", "malformedJson", /failed to decode agent identity JWKS/u],
    [
      "that answers too much",
      { oversizedBytes: 1024 * 1024 + 2 },
      /failed to decode agent identity JWKS.*: the response is larger than 1048576 bytes/u,
    ],
    ["that resets the connection", "reset", /failed to request agent identity JWKS/u],
  ] as const)("%s is named in one line", async (_, behaviour, words) => {
    await using authority = await startTestAuthority();
    authority.behave("jwks", behaviour);
    expect(complaintOf(await loginWith(authority, await authority.mintAgentIdentityJwt()))).toMatch(
      words,
    );
  });

  it("that is down is named in one line", async () => {
    const authority = await startTestAuthority();
    const jwt = await authority.mintAgentIdentityJwt();
    await authority.close();
    expect(complaintOf(await loginWith(authority, jwt))).toMatch(
      /failed to request agent identity JWKS/u,
    );
  });

  it("that never answers is given up after 10 seconds", async () => {
    await using authority = await startTestAuthority();
    authority.behave("jwks", "hang");
    const result = await loginWith(authority, await authority.mintAgentIdentityJwt());
    expect(complaintOf(result)).toMatch(/failed to request agent identity JWKS/u);
  }, 20_000);

  it("that speaks no HTTP is named in one line", async () => {
    await using authority = await startTestAuthority();
    const stranger = createServer((socket) => socket.end("220 mail.example ESMTP\r\n"));
    await new Promise<void>((resolve) => stranger.listen(0, "127.0.0.1", resolve));
    const address = stranger.address();
    const port = typeof address === "object" ? address?.port : undefined;
    const base = `http://127.0.0.1:${port}/backend-api`;
    const jwt = await authority.mintAgentIdentityJwt();
    const result = await loginWith(authority, jwt, {
      CODEX_AGENT_IDENTITY_JWKS_BASE_URL: base,
    });
    stranger.close();
    expect(complaintOf(result)).toMatch(/failed to request agent identity JWKS/u);
  });
});

describe.concurrent("a broken auth.json", () => {
  it.each([
    ["that is not JSON", "not json"],
    ["that is cut", '{"OPENAI_API_KEY": "sk-x"'],
    ["that is empty", ""],
    ["of the wrong shape", '{"OPENAI_API_KEY": 7}'],
    ["that is a list", "[]"],
    ["of an unknown mode", '{"auth_mode": "telepathy", "OPENAI_API_KEY": null}'],
    ["that holds nothing", "{}"],
    [
      "with an identity that is not a JWT",
      '{"auth_mode": "agentIdentity", "agent_identity": "xyz"}',
    ],
  ])("%s is reported in one line and left as it is", async (_, content) => {
    await using authority = await startTestAuthority();
    await using home = await homeAt(authority);
    await home.writeAuth(content);
    for (const args of [
      ["login", "status"],
      ["api", "responses", "-d", "{}"],
    ]) {
      const result = await home.run(args);
      // A file that is correct, but holds no credential, takes a sign-in.
      const isSignInNeeded = content === "{}" && args[0] === "api";
      expect(result.exitCode).toBe(isSignInNeeded ? 4 : 1);
      expect(complaintOf({ ...result, exitCode: 1 })).toMatch(/^Error /u);
      expect(await home.readAuth()).toBe(content);
    }
    expect(authority.count("responses")).toBe(0);
  });

  it("is also reported as JSON", async () => {
    await using home = await CliHome.make();
    await home.writeAuth("not json");
    const result = await home.run(["login", "status", "--json"]);
    expect(JSON.parse(result.stdout)).toMatchObject({
      loggedIn: false,
      error: { code: expect.stringMatching(/^LOGIN_/u), message: expect.any(String) },
    });
    expect(result.exitCode).toBe(1);
  });
});

describe.concurrent("a CODEX_HOME", () => {
  it("that does not exist is named, with what to do", async () => {
    await using home = await CliHome.make();
    const missing = join(home.path, "missing");
    for (const args of [["login", "status"], ["login", "--with-api-key"], ["logout"]]) {
      const result = await home.run(args, { env: { CODEX_HOME: missing }, stdin: "sk-x" });
      expect(complaintOf(result)).toMatch(
        new RegExp(`CODEX_HOME.*${missing}|${missing}.*CODEX_HOME`, "u"),
      );
    }
  });

  it("that is a file is named", async () => {
    await using home = await CliHome.make();
    await home.writeAuth("{}");
    const result = await home.run(["login", "status"], { env: { CODEX_HOME: home.authFile } });
    expect(complaintOf(result)).toContain(
      `${home.authFile}/config.toml: part of the path is not a folder`,
    );
  });
});

describe.concurrent("a config.toml", () => {
  it.each([
    ["that does not parse", "chatgpt_base_url = \n"],
    ["with a key of the wrong type", "chatgpt_base_url = 7\n"],
    ["with an unknown login method", 'forced_login_method = "telepathy"\n'],
  ])("%s is named with its place", async (_, text) => {
    await using home = await CliHome.make(text);
    expect(complaintOf(await home.run(["login", "status"]))).toMatch(/config\.toml/u);
  });
});

describe.concurrent("an invalid command line", () => {
  it.each([
    [["login", "--nope"], "unknown option '--nope' (try: agent-auth login --help)"],
    [["telepathy"], "no such command: telepathy"],
    [["api"], "<path> is missing (try: agent-auth api --help)"],
    [["api", "x", "-H", "no colon"], "--header takes 'Name: value'"],
    [
      ["api", "x", "-d", "a", "--input", "b"],
      "give the body with only one of --data, --input and fields",
    ],
    [["login", "status", "extra"], "unexpected argument 'extra'"],
  ])("%j is one line and exit code 2", async (args, words) => {
    await using home = await CliHome.make();
    const result = await home.run(args);
    expect(result.stderr).toContain(`error: ${words}`);
    expect(result.stderr.trimEnd().split("\n")).toHaveLength(1);
    expect([result.exitCode, result.stdout]).toEqual([2, ""]);
  });
});
