/** What the caller can change: an argument, or what is installed. Its message is shown without a stack trace. */
export class UsageProblem extends Error {}

/** A platform for which an executable is built. */
export interface Target {
  /** As given to `--target`: `linux-x64-musl`. */
  readonly name: string;
  /** Bun's name of it: `bun-linux-x64-musl`. */
  readonly bunTarget: string;
  /** The npm package that holds Bun for it. */
  readonly bunPackage: string;
  /** Bun's file in that package. */
  readonly bunFile: string;
  /** The npm package that holds the keyring's native module for it. */
  readonly keyringPackage: string;
  /** Name of the executable. */
  readonly file: string;
}

const target = (name: string, bunPlatform: string, keyring: string): Target => {
  const isWindows = name.startsWith("windows");
  return {
    name,
    bunTarget: `bun-${bunPlatform}`,
    bunPackage: `@oven/bun-${bunPlatform.replace("arm64", "aarch64")}`,
    bunFile: isWindows ? "bin/bun.exe" : "bin/bun",
    keyringPackage: `@napi-rs/keyring-${keyring}`,
    file: `agent-auth-${name}${isWindows ? ".exe" : ""}`,
  };
};

export const targets: readonly Target[] = [
  target("linux-x64", "linux-x64", "linux-x64-gnu"),
  target("linux-arm64", "linux-arm64", "linux-arm64-gnu"),
  target("linux-x64-musl", "linux-x64-musl", "linux-x64-musl"),
  target("linux-arm64-musl", "linux-arm64-musl", "linux-arm64-musl"),
  target("darwin-x64", "darwin-x64", "darwin-x64"),
  target("darwin-arm64", "darwin-arm64", "darwin-arm64"),
  target("windows-x64", "windows-x64", "win32-x64-msvc"),
];

const targetNamed = (name: string): Target => {
  const found = targets.find((one) => one.name === name);
  if (found !== undefined) return found;
  const names = targets.map((one) => one.name).join(", ");
  throw new UsageProblem(`unknown target ${name}; the targets are ${names} and all`);
};

/** The platform of this process. */
export const hostTarget = (): Target => {
  const platform = process.platform === "win32" ? "windows" : process.platform;
  const isMusl = platform === "linux" && !isGlibc();
  return targetNamed(`${platform}-${process.arch}${isMusl ? "-musl" : ""}`);
};

const isGlibc = (): boolean => {
  const { header }: { readonly header?: object } = Object(process.report.getReport());
  return header !== undefined && "glibcVersionRuntime" in header;
};

/** The targets that the command line asks for: `--target NAME`, repeated or `all`; by default the host's. */
export const targetsOf = (args: readonly string[]): readonly Target[] => {
  const names: string[] = [];
  for (let at = 0; at < args.length; at++) {
    const [flag = "", inline] = (args[at] ?? "").split("=", 2);
    if (flag !== "--target") throw new UsageProblem(`unknown argument ${flag}`);
    const name = inline ?? args[++at];
    if (name === undefined) throw new UsageProblem("--target needs a name");
    names.push(name);
  }
  if (names.length === 0) return [hostTarget()];
  return names.includes("all") ? targets : [...new Set(names)].map(targetNamed);
};
