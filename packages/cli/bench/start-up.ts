// How much longer than `node -e 0` a command takes, from spawn to exit (`api`: to its first byte). Certificate
// variables are unset: if they name a system bundle, every start of Node reads it, which hides the differences.
// The executable (npm run executable) is compared with the native Codex as well, if there is one (tools/src/codex.ts).
import { makeBench } from "@agent-auth/tools/bench";
import { findCodex } from "@agent-auth/tools/codex";
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hostTarget } from "../executable/targets.ts";

const binary = join(import.meta.dirname, "../dist/agent-auth.cjs");

/** A CODEX_HOME with a stored API key. */
const makeHome = async (config: string, folder = tmpdir()) => {
  await mkdir(folder, { recursive: true });
  const home = await mkdtemp(join(folder, "agent-auth-bench-"));
  const auth = '{\n  "OPENAI_API_KEY": "sk-proj-1234567890ABCDE"\n}';
  await writeFile(join(home, "auth.json"), auth, { mode: 0o600 });
  if (config !== "") await writeFile(join(home, "config.toml"), config);
  return home;
};

const server = createServer((request, response) => {
  request.resume();
  response.end("{}");
});
await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
const address = server.address();
const port = typeof address === "object" ? address?.port : undefined;
const plainHome = await makeHome("");
const configuredHome = await makeHome(`model = "gpt-5"
model_reasoning_effort = "high"
approval_policy = "on-request"
cli_auth_credentials_store = "file"

[projects."/home/demo/project"]
trust_level = "trusted"

[mcp_servers.docs]
command = "npx"
args = ["-y", "docs-server"]
`);
const apiHome = await makeHome(`openai_base_url = "http://127.0.0.1:${port}"\n`);

type Until = "end" | "first byte";

/** Starts a program, by default Node, and waits for its end, or for its first byte on stdout. */
const start =
  (args: readonly string[], until: Until, home: string, input = "", program = process.execPath) =>
  (): Promise<void> =>
    new Promise((resolve, reject) => {
      const env = { PATH: process.env["PATH"] ?? "", HOME: home, CODEX_HOME: home };
      const child = spawn(program, args, { env, stdio: ["pipe", "pipe", "ignore"] });
      child.stdin.on("error", () => {});
      child.stdin.end(input);
      if (until === "first byte") child.stdout.once("data", () => resolve());
      else child.stdout.resume();
      child.once("error", reject);
      child.once("close", (code) =>
        code === 0 ? resolve() : reject(new Error(`${args.join(" ")} ended with ${code}`)),
      );
    });

const status = ["login", "status"];
const initialize = `{"id":1,"method":"initialize","params":{"clientInfo":{"name":"bench","version":"1"}}}\n`;
const cases = [
  { name: "--version", args: ["--version"], limit: 1.1, until: "end", home: plainHome },
  { name: "login status", args: status, limit: 1.25, until: "end", home: plainHome },
  { name: "token", args: ["token"], limit: 1.3, until: "end", home: plainHome },
  {
    name: "login status, config.toml",
    args: status,
    limit: 1.5,
    until: "end",
    home: configuredHome,
  },
  { name: "token, config.toml", args: ["token"], limit: 1.5, until: "end", home: configuredHome },
  { name: "api", args: ["api", "models"], limit: 1.8, until: "first byte", home: apiHome },
  {
    name: "app-server",
    args: ["app-server"],
    limit: 2.5,
    until: "first byte",
    home: plainHome,
    input: initialize,
  },
] as const;

const bench = makeBench("Start-up of agent-auth with a stored API key, against node -e 0");
const reference = start(["-e", "0"], "end", plainHome);
for (const { name, args, limit, until, home, ...rest } of cases) {
  const subject = start([binary, ...args], until, home, "input" in rest ? rest.input : "");
  await subject(); // Node's compile cache is filled by the first run, as it is on a person's machine.
  await bench.compare(name, { reference, subject, limit, calls: 1, rounds: 40 });
}
bench.report();

const executable = join(import.meta.dirname, "../../../dist", hostTarget().file);
// Codex refuses a CODEX_HOME in the temporary folder.
const codexHome = await makeHome("", join(import.meta.dirname, "../.results"));
if (existsSync(executable)) {
  const one = makeBench("Start-up of the executable with a stored API key");
  const codex = findCodex();
  if ("missing" in codex) console.log(`\nskipped: ${codex.missing}`);
  for (const [args, codexArgs, codexLimit] of [
    [["--version"], ["--version"], 0.8],
    [status, status, 1],
    [["token"], status, 1],
  ] as const) {
    const subject = start(args, "end", codexHome, "", executable);
    const name = args.join(" ");
    await one.compare(`${name}, against node -e 0`, { reference, subject, limit: 0.6, calls: 1 });
    if ("missing" in codex) continue;
    const native = start(codexArgs, "end", codexHome, "", codex.path);
    const title = `${name}, against codex ${codexArgs.join(" ")}`;
    await one.compare(title, { reference: native, subject, limit: codexLimit, calls: 1 });
  }
  one.report();
} else console.log("\nskipped: the executable is not built; npm run executable builds it");
server.close();
for (const home of [plainHome, configuredHome, apiHome, codexHome])
  await rm(home, { recursive: true, force: true });
