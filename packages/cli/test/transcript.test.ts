// Runs the console blocks of the README and of docs/, one shell for each page, and compares their output with the page. `…` matches anything. The test enters device codes that a page asks for.
import { startTestAuthority, type TestAuthority } from "@agent-auth/test-authority";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { agentAuth, CliHome, isExecutable } from "./support/cli.ts";

const repository = join(import.meta.dirname, "../../..");
const pages = [
  "README.md",
  "packages/cli/README.md",
  "docs/sign-in.md",
  "docs/ci.md",
  "docs/proxy.md",
  "docs/run-the-app-server.md",
  "docs/accounts.md",
  "docs/self-hosted.md",
  "docs/any-sdk.md",
  "docs/json-output.md",
];

let authority: TestAuthority;
beforeAll(async () => {
  authority = await startTestAuthority({
    settings: { deviceIntervalSeconds: 1, accessTokenSeconds: 10 * 24 * 60 * 60 },
  });
});
afterAll(() => authority.close());

interface Step {
  readonly command: string;
  readonly prints: string;
}

/** The commands of a page's console blocks, each with what follows it. */
const stepsOf = (markdown: string): readonly Step[] =>
  Array.from(markdown.matchAll(/^```console\n(.*?)^```$/gmsu), ([, block = ""]) => block).flatMap(
    (block) =>
      block
        .split(/^\$ /mu)
        .slice(1)
        .map((text) => {
          const [command = "", ...lines] = text.split("\n");
          return { command, prints: lines.join("\n").trimEnd() };
        }),
  );

const patternOf = (prints: string): RegExp => {
  const literal = prints
    .split("…")
    .map((part) => part.replaceAll(/[\\^$.*+?()[\]{}|]/gu, String.raw`\$&`));
  return new RegExp(`^${literal.join("[\\s\\S]*?")}$`, "u");
};

/** The code of a device sign-in. */
const userCode = /\b[A-Z]{4}-[A-Z]{4}\b/gu;

/** Our authority in the place of OpenAI's own, a free port in the place of the page's. */
const asPlayedHere = (markdown: string, port: number) =>
  markdown
    .replaceAll("8080", String(port))
    .replaceAll("…, Node …", isExecutable ? "…, Bun …" : "…, Node …")
    .replaceAll("https://auth.openai.com", authority.issuer)
    .replaceAll("login --device-auth\n", `login --device-auth --issuer ${authority.issuer}\n`);

/** A person who enters every code that she is shown, and approves. */
const makePerson = () => {
  const account = authority.createAccount({ email: "ada@example.com", planType: "pro" });
  return (shown: string) => {
    for (const code of shown.match(userCode) ?? [])
      authority.decideDevice(code, { decision: "approve", account });
  };
};

/** One bash that runs commands in turn and reports where the output of each one ends. */
class Shell implements AsyncDisposable {
  readonly #bash: ChildProcess;
  #output = "";
  #wake = () => {};

  /** `watch` is handed what the present command has printed so far, at each piece of it. */
  constructor(env: Readonly<Record<string, string>>, cwd: string, watch: (output: string) => void) {
    this.#bash = spawn("bash", ["--noprofile", "--norc"], { env, cwd, detached: true });
    for (const stream of [this.#bash.stdout, this.#bash.stderr]) {
      stream?.on("data", (chunk: Buffer) => {
        this.#output += chunk.toString();
        watch(this.#output);
        this.#wake();
      });
    }
  }

  async run({ command, prints }: Step): Promise<string> {
    this.#output = "";
    const isBackground = command.endsWith("&");
    this.#bash.stdin?.write(
      isBackground ? `{ ${command} } 2>access.log\n` : `{ ${command}\n} 2>&1; printf '\\036'\n`,
    );
    const isDone = () =>
      isBackground ? this.#output.includes(prints) : this.#output.endsWith("\u001e");
    while (!isDone()) await new Promise<void>((resolve) => (this.#wake = resolve));
    return this.#output.replace("\u001e", "").trimEnd();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = new Promise((resolve) => this.#bash.once("close", resolve));
    process.kill(-(this.#bash.pid ?? 0), "SIGKILL");
    await ended;
  }
}

const freePort = () =>
  new Promise<number>((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const address = server.address();
      const port = typeof address === "object" && address !== null ? address.port : 0;
      server.close(() => resolve(port));
    });
  });

const has = (tool: string) => spawnSync(tool, ["--version"]).error === undefined;
const canRun = has("bash") && has("curl");
if (!canRun) console.warn("skipped: no bash or no curl here; run: tools/debian-packages.sh curl");

/** A folder with an `agent-auth` on PATH, an agent's token, and its own CODEX_HOME. */
const workshop = async () => {
  const home = await CliHome.make(`chatgpt_base_url = "${authority.chatgptBaseUrl}"\n`);
  const cwd = join(home.path, "work");
  await mkdir(join(home.path, "bin"));
  await mkdir(cwd);
  const shim = join(home.path, "bin/agent-auth");
  await writeFile(shim, `#!/bin/sh\nexec ${agentAuth.map((word) => `'${word}'`).join(" ")} "$@"\n`);
  await chmod(shim, 0o755);
  const account = authority.createAccount({ email: "demo@example.com", planType: "pro" });
  await writeFile(join(cwd, "agent.jwt"), await authority.mintAgentIdentityJwt({ account }));
  const { PATH = "", ...env } = home.env();
  return { home, cwd, env: { ...env, PATH: `${join(home.path, "bin")}:${PATH}` } };
};

describe.skipIf(!canRun)("the console blocks of", () => {
  it.each(pages)("%s print the documented output", { timeout: 60_000 }, async (page) => {
    const port = await freePort();
    const markdown = await readFile(join(repository, page), "utf8");
    const steps = stepsOf(asPlayedHere(markdown, port));
    expect(steps.length).toBeGreaterThan(0);
    const { home, cwd, env } = await workshop();
    await using _home = home;
    await using shell = new Shell(env, cwd, makePerson());
    for (const step of steps) {
      const printed = `$ ${step.command}\n${await shell.run(step)}`;
      const promised = patternOf(`$ ${step.command}\n${step.prints}`.replaceAll(userCode, "…"));
      expect(printed).toMatch(promised);
    }
  });
});
