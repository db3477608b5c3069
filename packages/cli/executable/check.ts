// npm run proof:executable: builds this platform's executable and checks what differs most from the Node build: it starts,
// reads a stored sign-in, serves a request through its proxy, uses no file of the working directory, and leaves nothing in
// the temporary folder.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createServer, get } from "node:http";
import { tmpdir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { root } from "./packages.ts";
import { hostTarget } from "./targets.ts";

const target = hostTarget();
if (!existsSync(join(root, "node_modules", target.bunPackage))) {
  console.log(`skipped: npm has not installed ${target.bunPackage}`);
  process.exit(0);
}
const built = spawnSync(process.execPath, [join(import.meta.dirname, "main.ts")], {
  stdio: "inherit",
});
if (built.status !== 0) process.exit(1);
const executable = join(root, "dist", target.file);

const folder = mkdtempSync(join(tmpdir(), "agent-auth-executable-"));
const home = join(folder, "home");
const temporary = join(folder, "temporary");
const checkout = join(folder, "checkout");
for (const path of [home, temporary, checkout]) mkdirSync(path);
const env = {
  PATH: process.env["PATH"] ?? "",
  HOME: home,
  CODEX_HOME: home,
  TMPDIR: temporary,
  TEMP: temporary,
  ...(process.env["SystemRoot"] !== undefined && { SystemRoot: process.env["SystemRoot"] }),
};
const options = { env, cwd: checkout, encoding: "utf8" } as const;
const run = (...args: readonly string[]) => spawnSync(executable, args, options);

const { version }: { readonly version: string } = JSON.parse(
  readFileSync(join(root, "packages/cli/package.json"), "utf8"),
);

const checkStart = () => {
  assert.equal(run("--version").stdout, `${version}\n`);
  assert.equal(run("login", "status").status, 1);
  writeFileSync(join(checkout, ".env"), "CODEX_API_KEY=sk-proj-of-the-checkout\n");
  writeFileSync(join(checkout, "bunfig.toml"), 'preload = ["./preload.js"]\n');
  writeFileSync(join(checkout, "preload.js"), 'console.log("preloaded")\n');
  const { status, stdout } = run("login", "status");
  assert.deepEqual([status, stdout], [1, ""]);
};

const checkSignIn = () => {
  const input = "sk-proj-1234567890ABCDE";
  assert.equal(spawnSync(executable, ["login", "--with-api-key"], { ...options, input }).status, 0);
  assert.match(run("login", "status").stderr, /^API key configured - sk-proj-\*\*\*ABCDE$/mu);
  assert.equal(run("token").stdout, `${input}\n`);
};

const checkLock = () => {
  const { stdout } = run("doctor", "-c", 'chatgpt_base_url="http://127.0.0.1:9/x"');
  if (process.platform !== "win32") assert.match(stdout, /^ok +lock +can be taken$/mu);
  assert.match(stdout, /^ok +program +agent-auth \S+, Bun \S+$/mu);
};

/** Without a keyring the native module is loaded all the same, and says so. */
const checkKeyring = () => {
  const { stderr } = run("login", "status", "-c", 'cli_auth_credentials_store="keyring"');
  assert.doesNotMatch(stderr, /not installed/u);
};

const checkProxy = async () => {
  const provider = createServer((request, response) => {
    request.resume();
    response.end(request.headers.authorization);
  });
  provider.listen(0, "127.0.0.1");
  await once(provider, "listening");
  const address = provider.address();
  const port = typeof address === "object" ? address?.port : undefined;
  const base = `openai_base_url="http://127.0.0.1:${port}/v1"`;
  const proxy = spawn(executable, ["proxy", "-c", base], {
    ...options,
    stdio: ["ignore", "pipe", "ignore"],
  });
  const [url] = await once(createInterface(proxy.stdout), "line");
  for (const headers of [{}, { connection: "Upgrade", upgrade: "h2c" }]) {
    const request = get(`${url}/models`, { headers, agent: false });
    const [response] = await once(request, "response");
    assert.equal(await text(response), "Bearer sk-proj-1234567890ABCDE");
  }
  proxy.kill("SIGINT");
  assert.deepEqual(await once(proxy, "exit"), [0, null]);
  provider.close();
  provider.closeAllConnections();
};

/** Builds the root file system of install/Containerfile, with the libraries of this machine, and runs its program in it. */
const checkContainer = () => {
  const isRoot = process.geteuid?.() === 0;
  if (
    target.name !== "linux-x64" ||
    !isRoot ||
    spawnSync("unshare", ["--mount", "true"]).status !== 0
  ) {
    console.log("skipped: the container image needs root on Linux x64, and unshare");
    return;
  }
  const recipe = readFileSync(join(root, "packages/cli/install/Containerfile"), "utf8");
  const image = join(folder, "image");
  mkdirSync(join(image, "proc"), { recursive: true });
  for (const [, from, to = ""] of recipe.matchAll(/^COPY (?:--from=system )?(\S+) (\S+)$/gmu)) {
    const source = resolve(root, from ?? "");
    const path = join(image, to.endsWith("/") ? join(to, basename(source)) : to);
    mkdirSync(dirname(path), { recursive: true });
    copyFileSync(source, path);
  }
  const line = 'mount -t proc proc "$0/proc" && exec chroot "$0" /agent-auth "$@"';
  const inImage = (...args: readonly string[]) =>
    spawnSync("unshare", ["--mount", "sh", "-c", line, image, ...args], {
      encoding: "utf8",
      env: { PATH: `${env.PATH}:/usr/sbin:/sbin`, CODEX_API_KEY: "sk-proj-1234567890ABCDE" },
    });
  assert.equal(inImage("--version").stdout, `${version}\n`);
  assert.match(inImage("login", "status").stderr, /^API key configured - sk-proj-\*\*\*ABCDE$/mu);
};

try {
  checkStart();
  checkSignIn();
  checkLock();
  checkKeyring();
  await checkProxy();
  checkContainer();
  assert.deepEqual(readdirSync(temporary), []);
  console.log(`${target.file} works`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
