import { startTestAuthority, type TestAuthority } from "@agent-auth/test-authority";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CliHome, type Ended } from "./support/cli.ts";

let authority: TestAuthority;
beforeAll(async () => {
  authority = await startTestAuthority();
});
afterAll(() => authority.close());

const homeHere = (more = "") =>
  CliHome.make(`chatgpt_base_url = "${authority.chatgptBaseUrl}"\n${more}`);

const lastLine = ({ stderr }: Ended) => stderr.trimEnd().split("\n").at(-1) ?? "";

describe("login --with-api-key", () => {
  it("saves a key piped with a Windows line end, in the form Codex reads", async () => {
    await using home = await homeHere();
    const { exitCode, stdout, stderr } = await home.run(["login", "--with-api-key"], {
      stdin: "  sk-proj-1234567890ABCDE\r\n",
    });
    expect(stderr).toBe(
      "Reading API key from stdin...\nAPI key saved. Authentication is checked when you send a request.\n",
    );
    expect([exitCode, stdout]).toEqual([0, ""]);
    expect(await home.readAuth()).toBe(
      '{\n  "auth_mode": "apikey",\n  "OPENAI_API_KEY": "sk-proj-1234567890ABCDE"\n}',
    );
  });

  it.each([
    ["nothing", "", "No API key provided via stdin."],
    ["white space", " \r\n\t ", "No API key provided via stdin."],
    ["two lines", "sk-one\nsk-two\n", "more than one line"],
    ["bytes that are not text", new Uint8Array([0xff, 0xfe, 0x00]), "not UTF-8"],
    ["too much", "x".repeat(1024 * 1024 + 1), "longer than 1048576 bytes"],
  ])("refuses %s and keeps what was stored", async (_, stdin, complaint) => {
    await using home = await homeHere();
    await home.writeAuth({ OPENAI_API_KEY: "sk-earlier" });
    const before = await home.readAuth();
    const result = await home.run(["login", "--with-api-key"], { stdin });
    expect(lastLine(result)).toContain(complaint);
    expect(result.stderr.trimEnd().split("\n")).toHaveLength(2);
    expect([result.exitCode, result.stdout]).toEqual([1, ""]);
    expect(await home.readAuth()).toBe(before);
  });

  it("is silent with --quiet, but not about failures", async () => {
    await using home = await homeHere();
    const done = await home.run(["login", "--with-api-key", "-q"], { stdin: "sk-x" });
    expect([done.exitCode, done.stderr]).toEqual([0, ""]);
    const failed = await home.run(["login", "--with-api-key", "-q"]);
    expect([failed.exitCode, failed.stderr]).toEqual([1, "No API key provided via stdin.\n"]);
  });
});

describe("login with an agent identity", () => {
  it.each(["--with-agent-identity", "--with-access-token"])(
    "verifies and saves it: %s",
    async (flag) => {
      await using home = await homeHere();
      const jwt = await authority.mintAgentIdentityJwt();
      const { exitCode, stdout, stderr } = await home.run(["login", flag], { stdin: `${jwt}\n` });
      expect(stderr).toBe("Reading access token from stdin...\nSuccessfully logged in\n");
      expect([exitCode, stdout]).toEqual([0, ""]);
      expect(JSON.parse((await home.readAuth()) ?? "")).toEqual({
        auth_mode: "agentIdentity",
        OPENAI_API_KEY: null,
        agent_identity: jwt,
      });
    },
  );

  it("takes the base URL from -c, before the command or after it", async () => {
    await using home = await CliHome.make();
    const override = ["-c", `chatgpt_base_url=${authority.chatgptBaseUrl}`];
    const jwt = await authority.mintAgentIdentityJwt();
    const behind = await home.run(["login", "--with-agent-identity", ...override], { stdin: jwt });
    expect(behind.exitCode).toBe(0);
    const before = await home.run([...override, "login", "status"]);
    expect(before.stderr).toContain("Logged in using access token");
  });
});

describe("login", () => {
  it.each(["CODEX_API_KEY", "CODEX_AGENT_IDENTITY", "CODEX_ACCESS_TOKEN"])(
    "changes nothing while %s provides the credential, nor does logout",
    async (variable) => {
      await using home = await homeHere();
      await home.writeAuth({ OPENAI_API_KEY: "sk-earlier" });
      const before = await home.readAuth();
      const env = { [variable]: "something" };
      for (const args of [["login", "--with-api-key"], ["logout"]]) {
        const result = await home.run(args, { stdin: "sk-new", env });
        expect(result.stderr).toContain(variable);
        expect(result.exitCode).toBe(1);
        expect(await home.readAuth()).toBe(before);
      }
    },
  );

  it("refuses if the store keeps nothing", async () => {
    await using home = await homeHere('cli_auth_credentials_store = "ephemeral"\n');
    const result = await home.run(["login", "--with-api-key"], { stdin: "sk-new" });
    expect(lastLine(result)).toContain("ephemeral");
    expect(result.exitCode).toBe(1);
    expect(await home.readAuth()).toBeNull();
  });
});

describe("logout", () => {
  it("removes the credential, and says so when there is none", async () => {
    await using home = await homeHere();
    await home.run(["login", "--with-api-key"], { stdin: "sk-new" });
    const done = await home.run(["logout"]);
    expect([done.exitCode, done.stderr, done.stdout]).toEqual([0, "Successfully logged out\n", ""]);
    expect(await home.readAuth()).toBeNull();
    const again = await home.run(["logout"]);
    expect([again.exitCode, again.stderr]).toEqual([0, "Not logged in\n"]);
  });
});
