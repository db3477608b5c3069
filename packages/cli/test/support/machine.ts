import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { tmpdir } from "node:os";
import { onTestFinished } from "vitest";

// `/etc/codex` is made in a private mount namespace, over a copy of `/etc` in memory: nothing else on the machine sees it.

const inNamespace =
  process.geteuid?.() === 0 ? ["--mount"] : ["--user", "--map-root-user", "--mount"];

const setUp = `set -e
mount --make-rprivate /
mount -t tmpfs tmpfs "$1"
mkdir "$1/upper" "$1/work"
mount -t overlay overlay -o "lowerdir=/etc,upperdir=$1/upper,workdir=$1/work" /etc
mkdir /etc/codex
cp "$2"/* /etc/codex/
chmod 755 /etc/codex
chmod 644 /etc/codex/*
shift 2
exec "$@"`;

interface Ran {
  readonly exitCode: number | null;
  readonly output: string;
}

const temporary = (): string => {
  const path = mkdtempSync(join(tmpdir(), "agent-auth-machine-"));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
};

/** Runs a command on a machine whose `/etc/codex` holds these files. Its output is stdout and stderr. */
export const onMachine = (
  files: Readonly<Record<string, string>>,
  command: readonly string[],
  options: { readonly env: Readonly<Record<string, string>>; readonly stdin?: string },
): Promise<Ran> => {
  const source = temporary();
  for (const [name, text] of Object.entries(files)) writeFileSync(join(source, name), text);
  const args = [...inNamespace, "sh", "-c", setUp, "sh", temporary(), source, ...command];
  return new Promise((resolve, reject) => {
    const child = spawn("unshare", args, { env: options.env, cwd: "/", timeout: 30_000 });
    let output = "";
    child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
    child.stderr.on("data", (chunk: Buffer) => (output += chunk.toString()));
    child.once("error", reject);
    child.once("close", (exitCode) => resolve({ exitCode, output }));
    child.stdin.on("error", () => {}); // a refusal comes before the input is read
    child.stdin.end(options.stdin ?? "");
  });
};

/** Why `/etc/codex` cannot be made here; `undefined` if it can. */
export const missingNamespace = ((): string | undefined => {
  const folder = mkdtempSync(join(tmpdir(), "agent-auth-machine-"));
  try {
    writeFileSync(join(folder, "config.toml"), "");
    const args = [...inNamespace, "sh", "-c", setUp, "sh"];
    const target = mkdtempSync(join(folder, "mount-"));
    const source = mkdtempSync(join(folder, "files-"));
    writeFileSync(join(source, "config.toml"), "");
    const ran = spawnSync("unshare", [...args, target, source, "true"], { timeout: 10_000 });
    return ran.status === 0 ? undefined : "this system makes no private mount namespaces";
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
})();
