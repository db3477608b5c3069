import { startTestAuthority, type TestAuthority } from "@agent-auth/test-authority";
import { spawn } from "node:child_process";
import { chown, mkdir, mkdtemp, realpath, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { agentAuth, CliHome, ended } from "./support/cli.ts";

let authority: TestAuthority;
let folder: string;
beforeAll(async () => {
  authority = await startTestAuthority();
  folder = await realpath(await mkdtemp(join(tmpdir(), "agent-auth-cli-environment-")));
});
afterAll(async () => {
  await authority.close();
  await rm(folder, { recursive: true, force: true });
});

interface Process {
  readonly env: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly uid?: number;
  readonly stdin?: string;
}

/** Runs the command line with these variables and no others. */
const run = (args: readonly string[], { env, stdin, ...process_ }: Process) => {
  const [program, ...words] = agentAuth;
  return ended(
    spawn(program, [...words, ...args], {
      env: { PATH: process.env["PATH"] ?? "", ...env },
      stdio: ["pipe", "pipe", "pipe"],
      ...process_,
    }),
    stdin === undefined ? {} : { stdin },
  );
};

const apiKey = { CODEX_API_KEY: "sk-proj-1234567890ABCDE" };
const statusOfKey = "API key configured - sk-proj-***ABCDE\n";

/** A folder with an executable, or with a sign-in, that must not be used by a process that works there. */
const makeCheckout = async (name: string) => {
  const checkout = join(folder, name);
  await mkdir(join(checkout, ".codex"), { recursive: true });
  await writeFile(
    join(checkout, ".codex", "auth.json"),
    JSON.stringify({ OPENAI_API_KEY: "sk-checkout-0123456789" }),
  );
  await makeTokenCommand(checkout, "checkout");
  return checkout;
};

const makeTokenCommand = async (where: string, token: string) => {
  await mkdir(join(where, "bin"), { recursive: true });
  await writeFile(join(where, "bin", "get-token"), `#!/bin/sh\necho ${token}\n`, { mode: 0o755 });
};

describe("the home folder", () => {
  it.each(["", " ", ".", "./", "x/.."])(
    "is never below the working directory: HOME=%j",
    async (HOME) => {
      const cwd = await makeCheckout("checkout-home");
      const status = await run(["login", "status", "--json"], { env: { HOME }, cwd });
      expect(status.stdout).not.toContain("checkout");
      expect(JSON.parse(status.stdout).loggedIn).toBe(false);
      const withKey = await run(["login", "status"], { env: { HOME, ...apiKey }, cwd });
      expect([withKey.exitCode, withKey.stderr.startsWith(statusOfKey)]).toEqual([0, true]);
    },
  );

  const isRoot = process.geteuid?.() === 0 && process.platform === "linux";
  /** No account of this machine has this id. */
  const uid = 12_345;

  it.for([
    [["login", "status"], "Not logged in\n", 1],
    [["logout"], "Not logged in\n", 0],
    [
      ["accounts", "list"],
      "No accounts are kept. Keep the current sign-in: agent-auth accounts add NAME --current\n",
      0,
    ],
  ] as const)(
    "is not needed by a user without an account if CODEX_HOME is set: %j",
    async ([args, stderr, exitCode], { skip }) => {
      if (!isRoot) skip("needs root on Linux, to become another user");
      await using home = await CliHome.make();
      await chown(home.path, uid, 0);
      const result = await run(args, { env: { CODEX_HOME: home.path }, uid });
      expect([result.stderr, result.exitCode]).toEqual([stderr, exitCode]);
    },
  );

  it("is not needed by a user without an account if a variable provides the credential", async ({
    skip,
  }) => {
    if (!isRoot) skip("needs root on Linux, to become another user");
    for (const env of [{}, { HOME: "" }, { HOME: "/root" }]) {
      const { exitCode, stderr } = await run(["login", "status"], {
        env: { ...apiKey, ...env },
        uid,
      });
      expect([exitCode, stderr.includes(statusOfKey)]).toEqual([0, true]);
    }
  });

  it.for([["login", "status"], ["logout"], ["token"], ["accounts", "list"]])(
    "is named in the error if it is needed and cannot be found: %j",
    async (args, { skip }) => {
      if (!isRoot) skip("needs root on Linux, to become another user");
      for (const args_ of [args, [...args, "-c", "cli_auth_credentials_store=keyring"]]) {
        const { exitCode, stderr } = await run(args_, { env: {}, uid });
        expect(stderr).toContain(
          "there is no folder for configuration and credentials: neither CODEX_HOME nor HOME is set, and the account database has no home folder for this user. Set CODEX_HOME to an existing folder that this user can read and write.",
        );
        expect(exitCode).not.toBe(0);
      }
    },
  );

  it.each(["/dev/null", "/dev/null/ada", "/etc/passwd", "a file .codex in a folder"])(
    "is not needed if a variable provides the credential, and may be something else: HOME=%s",
    async (place) => {
      let HOME = place;
      if (!place.startsWith("/")) {
        HOME = join(folder, "with-a-file");
        await mkdir(HOME);
        await writeFile(join(HOME, ".codex"), "");
      }
      const token = await run(["token"], { env: { HOME, ...apiKey } });
      expect([token.stderr, token.stdout]).toEqual(["", `${apiKey.CODEX_API_KEY}\n`]);
      const doctor = await examine({ CODEX_HOME: "", HOME, ...apiKey }, [
        "-c",
        `chatgpt_base_url=${authority.chatgptBaseUrl}`,
        "-c",
        `openai_base_url=${authority.openaiBaseUrl}`,
      ]);
      expect(doctor.faults.filter(({ status }) => status === "fail")).toEqual([]);
      const withoutKey = await run(["token"], { env: { HOME } });
      expect(withoutKey.stderr).toContain(`CODEX_HOME ${HOME}/.codex: `);
      expect(withoutKey.exitCode).toBe(1);
    },
  );

  it("of another user gets a .codex that belongs to that user", async ({ skip }) => {
    if (!isRoot) skip("needs root on Linux, to work in another user's home");
    const home = join(folder, "ada");
    await mkdir(home);
    await chown(home, uid, uid);
    const login = await run(["login", "--with-api-key"], {
      env: { HOME: home },
      stdin: "sk-proj-1234567890ABCDE",
    });
    expect(login.exitCode).toBe(0);
    for (const path of [".codex", ".codex/auth.json"]) {
      const { gid, uid: owner } = await stat(join(home, path));
      expect([owner, gid]).toEqual([uid, uid]);
    }
  });
});

const providerToml = (auth: string) =>
  `model_provider = "own"\n[model_providers.own]\nname = "Own"\nbase_url = "https://own.example/v1"\nauth = { command = "./bin/get-token"${auth} }\n`;

describe("a token command of config.toml", () => {
  it.each(["", ', cwd = "."', ', cwd = "./"'])(
    "runs in CODEX_HOME, not in a checkout with a program of the same name: %j",
    async (auth) => {
      await using home = await CliHome.make(providerToml(auth));
      await makeTokenCommand(home.path, "home");
      const cwd = await makeCheckout("checkout-command");
      const token = await run(["token"], { env: { CODEX_HOME: home.path }, cwd });
      expect([token.stderr, token.stdout]).toEqual(["", "home\n"]);
    },
  );

  it("fails if only the working directory has the program", async () => {
    await using home = await CliHome.make(providerToml(""));
    const cwd = await makeCheckout("checkout-command");
    const token = await run(["token"], { env: { CODEX_HOME: home.path }, cwd });
    expect([token.stdout, token.exitCode]).toEqual(["", 1]);
    expect(token.stderr).toContain("./bin/get-token");
  });

  it("runs in the working directory if -c sets it", async () => {
    await using home = await CliHome.make(providerToml(""));
    const cwd = await makeCheckout("checkout-command");
    const args = ["token", "-c", "model_providers.own.auth.command=./bin/get-token"];
    const token = await run(args, { env: { CODEX_HOME: home.path }, cwd });
    expect(token.stdout).toBe("checkout\n");
  });
});

describe(".env in CODEX_HOME", () => {
  const config = `model_provider = "own"\n[model_providers.own]\nname = "Own"\nbase_url = "https://own.example/v1"\nenv_key = "OWN_KEY"\n`;

  it("supplies a provider's env_key, which the process overrides", async () => {
    await using home = await CliHome.make(config);
    await writeFile(join(home.path, ".env"), "export OWN_KEY='from file' # mine\n");
    expect((await home.run(["token"])).stdout).toBe("from file\n");
    expect((await home.run(["token"], { env: { OWN_KEY: "own" } })).stdout).toBe("own\n");
  });

  it("supplies the environment of a token command", async () => {
    const command = `command = "sh"\nargs = ["-c", "echo $FROM_FILE$OWN$CODEX_API_KEY"]\n`;
    await using home = await CliHome.make(
      `model_provider = "own"\n[model_providers.own]\nname = "Own"\nbase_url = "https://own.example/v1"\n[model_providers.own.auth]\n${command}`,
    );
    await writeFile(join(home.path, ".env"), "FROM_FILE=file-\nOWN=file\nCODEX_API_KEY=sk-x\n");
    expect((await home.run(["token"], { env: { OWN: "own" } })).stdout).toBe("file-own\n");
  });

  it("supplies no credential of Codex", async () => {
    await using home = await CliHome.make();
    await writeFile(join(home.path, ".env"), "CODEX_API_KEY=sk-file-0123456789\n");
    expect((await home.run(["login", "status"])).stderr).toBe("Not logged in\n");
  });

  it("of the working directory is not read", async () => {
    await using home = await CliHome.make(config);
    const cwd = await makeCheckout("checkout-dotenv");
    await writeFile(join(cwd, ".env"), "OWN_KEY=checkout\n");
    const token = await run(["token"], { env: { CODEX_HOME: home.path }, cwd });
    expect(token.stderr).toContain("OWN_KEY");
    expect(token.exitCode).not.toBe(0);
  });
});

describe("AGENT_AUTH_CONFIG", () => {
  /** What a library in the child reads: one program prints its configuration. */
  const libraryProgram = [
    process.execPath,
    "--conditions=@agent-auth/source",
    "--input-type=module",
    "-e",
    `import { loadConfig } from "@agent-auth/login/config";
import { loadEnvironment } from "@agent-auth/login/config/environment";
import * as Effect from "effect/Effect";
const config = await Effect.runPromise(loadConfig(loadEnvironment(process.env)));
console.log(config.chatgptBaseUrl, config.modelProvider);`,
  ];
  const cwd = join(import.meta.dirname, "..");

  it("carries the -c overrides of exec to a library in the program, and on to its children", async () => {
    await using home = await CliHome.make(`model_provider = "file"\n`);
    const env = { CODEX_HOME: home.path, ...apiKey };
    const override = ["-c", "chatgpt_base_url=https://self.example/api"];
    const one = await run(["exec", ...override, "--", ...libraryProgram], { env, cwd });
    expect([one.stderr, one.stdout]).toEqual(["", "https://self.example/api file\n"]);
    const nested = [...agentAuth, "exec", "-c", "model_provider=inner", "--"];
    const two = await run(["exec", ...override, "--", ...nested, ...libraryProgram], { env, cwd });
    expect([two.stderr, two.stdout]).toEqual(["", "https://self.example/api inner\n"]);
  });

  it("is left as it is by exec without overrides", async () => {
    await using home = await CliHome.make();
    const env = {
      CODEX_HOME: home.path,
      AGENT_AUTH_CONFIG: `model_provider = "variable"`,
      ...apiKey,
    };
    const { stdout } = await run(["exec", "--", ...libraryProgram], { env, cwd });
    expect(stdout).toBe("https://chatgpt.com/backend-api variable\n");
  });

  it.each([
    ["model_provider = 1", "AGENT_AUTH_CONFIG:1: model_provider must be a string"],
    ["\n= canary", "AGENT_AUTH_CONFIG:2:"],
    [`profile = "x"`, 'AGENT_AUTH_CONFIG:1: legacy `profile = "x"` config'],
  ])("is named in the error if it is wrong: %j", async (toml, message) => {
    await using home = await CliHome.make();
    const { exitCode, stderr } = await home.run(["login", "status"], {
      env: { AGENT_AUTH_CONFIG: toml },
    });
    expect(stderr).toContain(message);
    expect(stderr).toContain("Correct or unset AGENT_AUTH_CONFIG.");
    expect(stderr).not.toContain("canary");
    expect(exitCode).toBe(1);
  });
});

const unknownProviderToml = () =>
  `chatgpt_base_url = "${authority.chatgptBaseUrl}"\nmodel_provider = "nope"\n`;

describe("an unknown model_provider", () => {
  it("is reported by login status with any credential", async () => {
    await using home = await CliHome.make(unknownProviderToml());
    for (const env of [{}, apiKey]) {
      const { exitCode, stderr } = await home.run(["login", "status"], { env });
      expect([exitCode, stderr]).toEqual([
        1,
        "Error checking login status: Model provider `nope` not found. Choose one of openai, or add [model_providers.nope] to config.toml.\n",
      ]);
    }
  });

  it("does not prevent a login or logout, nor does a provider that is built into Codex", async () => {
    await using home = await CliHome.make(unknownProviderToml());
    const login = await home.run(["login", "--with-api-key"], { stdin: "sk-proj-1234567890ABCDE" });
    expect(login.exitCode).toBe(0);
    const builtIn = ["login", "status", "-c", "model_provider=amazon-bedrock"];
    expect((await home.run(builtIn)).exitCode).toBe(0);
    expect((await home.run(["logout"])).exitCode).toBe(0);
  });
});

const examine = async (env: Readonly<Record<string, string>>, args: ReadonlyArray<string> = []) => {
  await using home = await CliHome.make(
    `chatgpt_base_url = "${authority.chatgptBaseUrl}"\nopenai_base_url = "${authority.openaiBaseUrl}"\n`,
  );
  const { stdout } = await home.run(["doctor", "--json", ...args], { env });
  const { ok, checks }: { ok: boolean; checks: ReadonlyArray<{ status: string }> } =
    JSON.parse(stdout);
  return { ok, faults: checks.filter(({ status }) => status !== "ok"), stdout };
};

describe("doctor in a CI job", () => {
  it.each(["CODEX_API_KEY", "CODEX_ACCESS_TOKEN", "CODEX_AGENT_IDENTITY"])(
    "finds nothing wrong with a credential in %s and nothing stored",
    async (variable) => {
      const value =
        variable === "CODEX_API_KEY"
          ? "sk-proj-1234567890ABCDE"
          : await authority.mintAgentIdentityJwt({});
      const { ok, faults, stdout } = await examine({ [variable]: value });
      expect([ok, faults]).toEqual([true, []]);
      expect(stdout).toContain(`${variable} provides the credential`);
      expect(stdout).not.toContain("unset");
    },
  );
});
