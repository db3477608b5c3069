import { startTestAuthority, type TestAuthority } from "@agent-auth/test-authority";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CliHome, isExecutable } from "./support/cli.ts";

let authority: TestAuthority;
beforeAll(async () => {
  authority = await startTestAuthority();
});
afterAll(() => authority.close());

const codexHome = () => CliHome.make(`chatgpt_base_url = "${authority.chatgptBaseUrl}"\n`);

/** Prints the credential variables and the arguments that it got. */
const reporter = [
  process.execPath,
  "-e",
  "const {CODEX_API_KEY:k,CODEX_ACCESS_TOKEN:t,CODEX_AGENT_IDENTITY:i}=process.env;console.log(JSON.stringify({k,t,i,args:process.argv.slice(1)}))",
  "--",
];

describe("exec", () => {
  it("hands an API key over in the environment, and arguments as they are", async () => {
    await using home = await codexHome();
    await home.run(["login", "--with-api-key"], { stdin: "sk-proj-1234567890ABCDE" });
    const { exitCode, stdout, stderr } = await home.run([
      "exec",
      "--",
      ...reporter,
      "-q",
      "--help",
    ]);
    expect(JSON.parse(stdout)).toEqual({ k: "sk-proj-1234567890ABCDE", args: ["-q", "--help"] });
    expect([exitCode, stderr]).toEqual([0, ""]);
  });

  it("hands a stored agent identity over as CODEX_ACCESS_TOKEN", async () => {
    await using home = await codexHome();
    const jwt = await authority.mintAgentIdentityJwt();
    await home.run(["login", "--with-agent-identity"], { stdin: jwt });
    const { stdout } = await home.run(["exec", "--", ...reporter]);
    expect(JSON.parse(stdout)).toEqual({ t: jwt, args: [] });
  });

  it("passes on only the credential that is in use", async () => {
    await using home = await codexHome();
    const jwt = await authority.mintAgentIdentityJwt();
    const env = { CODEX_AGENT_IDENTITY: jwt, CODEX_ACCESS_TOKEN: "another" };
    const { stdout } = await home.run(["exec", "--", ...reporter], { env });
    expect(JSON.parse(stdout)).toEqual({ t: jwt, args: [] });
  });

  it.each(["child_process", "*", "fs,CHILD_PROCESS"])(
    "prints no credential under NODE_DEBUG=%s, and hands the variable on",
    async (NODE_DEBUG) => {
      await using home = await codexHome();
      await home.run(["login", "--with-api-key"], { stdin: "sk-proj-canary-ABCDE" });
      const program = ["-p", "JSON.stringify([process.env.CODEX_API_KEY, process.env.NODE_DEBUG])"];
      const result = await home.run(["exec", "--", process.execPath, ...program], {
        env: { NODE_DEBUG },
      });
      expect(JSON.parse(result.stdout)).toEqual(["sk-proj-canary-ABCDE", NODE_DEBUG]);
      expect(result.stderr).not.toContain("canary");
      expect(result.exitCode).toBe(0);
    },
  );

  it("ends with the program's exit code, or tells the signal that ended it", async () => {
    await using home = await codexHome();
    const env = { CODEX_API_KEY: "sk-x" };
    const code = await home.run(["exec", "--", process.execPath, "-e", "process.exit(7)"], { env });
    expect(code.exitCode).toBe(7);
    const suicide = "process.kill(process.pid,'SIGTERM');setTimeout(()=>{},9e3)";
    const killed = await home.run(["exec", "--", process.execPath, "-e", suicide], { env });
    expect(killed.exitCode).toBe(143);
  });

  it("passes Ctrl-C on and waits for the program to finish with it", async () => {
    await using home = await codexHome();
    const program =
      "process.on('SIGINT',()=>{console.log('bye');process.exit(3)});console.log('up');setTimeout(()=>{},9e3)";
    const child = home.spawn(["exec", "--", process.execPath, "-e", program], {
      env: { CODEX_API_KEY: "sk-x" },
    });
    let said = "";
    child.stdout.on("data", (chunk: Buffer) => {
      said += chunk.toString();
      if (said === "up\n") child.kill("SIGINT");
    });
    const exitCode = await new Promise((resolve) => child.once("close", resolve));
    expect([exitCode, said]).toEqual([3, "up\nbye\n"]);
  });

  it("names a program that does not exist, and runs nothing when signed out", async () => {
    await using home = await codexHome();
    const missing = await home.run(["exec", "--", "no-such-program"], {
      env: { CODEX_API_KEY: "sk-x" },
    });
    expect(missing.stderr).toContain("cannot start no-such-program (ENOENT)");
    expect(missing.exitCode).toBe(127);
    const signedOut = await home.run(["exec", "--", ...reporter]);
    expect([signedOut.exitCode, signedOut.stdout]).toEqual([4, ""]);
    expect(signedOut.stderr).toContain("Run: agent-auth login");
  });

  it.each([
    ["a path through a file", `${process.execPath}/x`, "ENOTDIR"],
    // Bun looks for a name without a slash itself, and reports that it is not on PATH.
    ["a name that is too long", `${isExecutable ? "/" : ""}${"x".repeat(300)}`, "ENAMETOOLONG"],
    ["no name at all", "", "ERR_INVALID_ARG_VALUE"],
    ["a folder", "/", "EACCES"],
  ])("says why %s cannot be started", async (_, program, reason) => {
    await using home = await codexHome();
    const env = { CODEX_API_KEY: "sk-x" };
    const { exitCode, stderr } = await home.run(["exec", "--", program], { env });
    expect(stderr).toBe(
      `Error running a program: cannot start ${program === "" ? '""' : program} (${reason}). Check the program's name and PATH.\n`,
    );
    expect(exitCode).toBe(126);
  });

  it("sends an identity that fits into no variable to the proxy", async () => {
    await using home = await codexHome();
    const agent = await authority.mintAgentIdentity();
    await home.writeAuth({
      auth_mode: "agentIdentity",
      OPENAI_API_KEY: null,
      agent_identity: {
        agent_runtime_id: agent.agentRuntimeId,
        agent_private_key: agent.privateKey,
        account_id: agent.account.accountId,
        chatgpt_user_id: agent.account.userId,
        plan_type: "pro",
        chatgpt_account_is_fedramp: false,
      },
    });
    const { exitCode, stdout, stderr } = await home.run(["exec", "--", ...reporter]);
    expect(stderr).toContain("Run: agent-auth proxy");
    expect([exitCode, stdout]).toEqual([1, ""]);
    expect(stderr).not.toContain(agent.privateKey);
  });
});
