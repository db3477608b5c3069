// `npm run try`: a shell in which `agent-auth` talks to an authority of its own. Nothing in it touches the real CODEX_HOME,
// and everything is gone when the shell ends. Words after `--` are run instead of an interactive shell.
import { startTestAuthority } from "@agent-auth/test-authority";
import { spawn } from "node:child_process";
import { chmod, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, dirname, join, resolve } from "node:path";
import { binary } from "./binary.ts";
import { environmentWithoutCredentials } from "./environment.ts";

const root = resolve(import.meta.dirname, "../../..");
const folder = await mkdtemp(join(tmpdir(), "agent-auth-try-"));
await using authority = await startTestAuthority();
const home = join(folder, ".codex");
const bin = join(folder, "bin");
const isWindows = process.platform === "win32";

const writeLauncher = async (): Promise<void> => {
  if (isWindows) {
    await writeFile(join(bin, "agent-auth.cmd"), `@"${process.execPath}" "${binary}" %*\r\n`);
    return;
  }
  await writeFile(
    join(bin, "agent-auth"),
    `#!/bin/sh\nexec "${process.execPath}" "${binary}" "$@"\n`,
  );
  await chmod(join(bin, "agent-auth"), 0o755);
};

/** The program of README.md, as it stands there, in a folder where it finds the packages. */
const writeProgram = async (): Promise<void> => {
  const readme = await readFile(join(root, "README.md"), "utf8");
  const [, program = ""] = /^```ts\n(.*?)^```$/ms.exec(readme) ?? [];
  await writeFile(join(folder, "request.mts"), program);
  await symlink(join(root, "node_modules"), join(folder, "node_modules"), "junction");
};

const welcome = `
A shell with agent-auth on its PATH, a CODEX_HOME of its own,
and an authority of its own on ${authority.url}.
agent.jwt holds an agent identity, api-key.txt an API key,
request.mts the program of README.md. Try:

  agent-auth login --with-agent-identity < agent.jwt
  agent-auth login status
  agent-auth api responses -d '{"model":"gpt-5","input":"Hello?"}'
  node request.mts
  agent-auth doctor
  agent-auth login --device-auth --issuer ${authority.issuer}

It ends with exit; nothing of it stays.
`;

const run = (words: ReadonlyArray<string>): Promise<number> => {
  const shell = isWindows
    ? (process.env["ComSpec"] ?? "cmd.exe")
    : (process.env["SHELL"] ?? "/bin/sh");
  const [program = shell, ...args] = words;
  const child = spawn(program, args, {
    cwd: folder,
    stdio: "inherit",
    env: {
      ...environmentWithoutCredentials(),
      CODEX_HOME: home,
      PATH: [bin, dirname(process.execPath), process.env["PATH"]].join(delimiter),
    },
  });
  // Ctrl-C is for what runs in the shell, not for the playground around it.
  process.on("SIGINT", () => undefined);
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve(code ?? 1));
  });
};

try {
  await Promise.all([mkdir(home), mkdir(bin)]);
  await Promise.all([writeLauncher(), writeProgram()]);
  await writeFile(
    join(home, "config.toml"),
    `chatgpt_base_url = "${authority.chatgptBaseUrl}"\nopenai_base_url = "${authority.openaiBaseUrl}"\n`,
  );
  const jwt = await authority.mintAgentIdentityJwt({ email: "demo@example.com", planType: "pro" });
  await writeFile(join(folder, "agent.jwt"), jwt, { mode: 0o600 });
  await writeFile(join(folder, "api-key.txt"), authority.addApiKey(), { mode: 0o600 });
  const words = process.argv.slice(2);
  if (words.length === 0) console.log(welcome);
  process.exitCode = await run(words);
} finally {
  await rm(folder, { recursive: true, force: true });
}
