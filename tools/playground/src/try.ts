// `npm run try`: a shell with `agent-auth`, a local authority and a temporary CODEX_HOME. Everything is removed when the
// shell ends. Arguments after `--` are run instead of an interactive shell.
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

/** Writes the program of README.md to a folder in which it finds the packages. */
const writeProgram = async (): Promise<void> => {
  const readme = await readFile(join(root, "README.md"), "utf8");
  const [, program = ""] = /^```ts\n(.*?)^```$/ms.exec(readme) ?? [];
  await writeFile(join(folder, "request.mts"), program);
  await symlink(join(root, "node_modules"), join(folder, "node_modules"), "junction");
};

const welcome = `
A shell with agent-auth on its PATH, a temporary CODEX_HOME,
and a local authority on ${authority.url}.
agent.jwt contains an agent identity, api-key.txt an API key,
request.mts the program of README.md. Try:

  agent-auth login --with-agent-identity < agent.jwt
  agent-auth login status
  agent-auth api responses -d '{"model":"gpt-5","input":"Hello?"}'
  node request.mts
  agent-auth doctor
  agent-auth login --device-auth --issuer ${authority.issuer}

Type exit to leave. All files are removed.
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
  // Ctrl-C goes to the program in the shell, not to this process.
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
