// npm run consumers [-- name…]: installs the packed packages with the bundlers and frameworks of examples/consumers into a
// temporary folder, and runs each program there against a test authority. With AGENT_AUTH_PACKED, the tarballs of that
// folder are used, otherwise the packages are packed. The packages must be built.
import { spawn, spawnSync } from "node:child_process";
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { z } from "zod";
import { readWorkspace } from "./boundaries/workspace.ts";

const root = join(import.meta.dirname, "../..");
const sources = join(root, "examples/consumers");
const scratch = mkdtempSync(join(tmpdir(), "agent-auth-consumers-"));
process.on("exit", () => rmSync(scratch, { recursive: true, force: true }));

const Manifest = z.object({ devDependencies: z.record(z.string(), z.string()).default({}) });
const Authority = z.object({ steering: z.string(), chatgptBaseUrl: z.string() });

/** What a program must print: one line for each request. */
const expected: Readonly<Record<string, string>> = {
  commonjs: "200\n",
  "typescript-node16": "200\n200\n",
  jest: "200\n",
  esbuild: "200\n200\n",
  rollup: "200\n",
  webpack: "200\n",
  "vite-ssr": "200\n",
  "node-sea": "200\n",
  nextjs: "200\n",
  electron: "200\n",
};

const named = process.argv.slice(2);
const names = Object.keys(expected).filter((name) => named.length === 0 || named.includes(name));

const run = (command: string, args: ReadonlyArray<string>, cwd: string, env = {}) =>
  spawnSync(command, args, {
    cwd,
    encoding: "utf8",
    shell: process.platform === "win32",
    env: { ...process.env, NO_COLOR: "1", ...env },
  });

const orThrow = (what: string, ended: ReturnType<typeof run>): string => {
  if (ended.status !== 0) throw new Error(`${what}:\n${ended.stdout}${ended.stderr}`);
  return ended.stdout;
};

const pack = (): string => {
  const folder = join(scratch, "packed");
  mkdirSync(folder);
  for (const { dir } of readWorkspace(root).packages)
    orThrow("npm pack", run("npm", ["pack", "--pack-destination", folder], dir));
  return folder;
};

/** One installation for all of them: each program's folder is below the node_modules that they share. */
const install = (): void => {
  const packed = process.env["AGENT_AUTH_PACKED"] ?? pack();
  const tarballs = readdirSync(packed).filter((name) => name.endsWith(".tgz"));
  const dependencies: Record<string, string> = {};
  for (const name of names) {
    const manifest: unknown = JSON.parse(readFileSync(join(sources, name, "package.json"), "utf8"));
    Object.assign(dependencies, Manifest.parse(manifest).devDependencies);
  }
  writeFileSync(join(scratch, "package.json"), JSON.stringify({ private: true, dependencies }));
  const options = ["--no-audit", "--no-fund", "--ignore-scripts", "--prefer-offline"];
  const paths = tarballs.map((name) => join(packed, name));
  orThrow("npm install", run("npm", ["install", ...options, ...paths], scratch));
  cpSync(join(sources, "request.mjs"), join(scratch, "request.mjs"));
  for (const name of names) cpSync(join(sources, name), join(scratch, name), { recursive: true });
};

/** The reason why a program cannot run here. */
const missing = (name: string): string | undefined => {
  if (name !== "electron") return undefined;
  const { status } = run("node", ["install.js"], join(scratch, "node_modules/electron"));
  return status === 0 ? undefined : "Electron's binary could not be downloaded";
};

const authority = spawn("node", [join(root, "examples/runtimes/authority.ts")], {
  stdio: ["pipe", "pipe", "inherit"],
});
const line = await createInterface({ input: authority.stdout })[Symbol.asyncIterator]().next();
const { chatgptBaseUrl, steering } = Authority.parse(JSON.parse(line.value ?? ""));
const call = JSON.stringify({ name: "mintAgentIdentityJwt", args: [] });
const token: unknown = await (await fetch(steering, { method: "POST", body: call })).json();
const home = join(scratch, "home");
mkdirSync(home);
writeFileSync(join(home, "config.toml"), `chatgpt_base_url = ${JSON.stringify(chatgptBaseUrl)}\n`);

install();
for (const name of names) {
  const reason = missing(name);
  if (reason !== undefined) {
    console.log(`skipped ${name}: ${reason}`);
    continue;
  }
  const env = {
    PATH: `${join(scratch, "node_modules/.bin")}:${dirname(process.execPath)}:${process.env["PATH"]}`,
    CODEX_HOME: home,
    CODEX_AGENT_IDENTITY: String(token),
  };
  const startedMs = performance.now();
  const { status, stderr, stdout } = run("npm", ["test", "--silent"], join(scratch, name), env);
  const warnings = stderr.split("\n").filter((text) => text.includes("koffi")).length;
  const printed = stdout.split("\n").filter((text) => /^\d+$/.test(text));
  const isFine =
    status === 0 &&
    printed.map((text) => `${text}\n`).join("") === expected[name] &&
    warnings === (name === "node-sea" ? 1 : 0);
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
  console.log(`${isFine ? "ok" : "failed"} ${name} (${seconds} s)`);
  if (isFine) continue;
  console.error(`exit code ${status}, ${warnings} warnings\n${stdout}${stderr}`);
  process.exitCode = 1;
}
authority.stdin.end();
