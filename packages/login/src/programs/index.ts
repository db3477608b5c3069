import { lstatSync, statSync } from "node:fs";
import { win32 } from "node:path";

/** What `spawn` of `node:child_process` takes to start a program. */
export interface Launch {
  readonly file: string;
  readonly args: ReadonlyArray<string>;
  /** Windows only: the arguments are quoted already. */
  readonly windowsVerbatimArguments?: true;
}

export interface LaunchOptions {
  /** The variables that the program is looked up with. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Default `process.platform`. */
  readonly platform?: NodeJS.Platform;
  /** What a path of a program is relative to. Default: the working directory. */
  readonly cwd?: string;
  /** For tests. Default: whether the file system has a file of this path. */
  readonly isFile?: (path: string) => boolean;
}

/**
 * Returns how to start a program on this platform. Outside of Windows that is the program itself. On Windows, programs such
 * as npm and az are batch files, which `spawn` neither finds nor starts: this finds them in `PATH` and lets `cmd.exe` run
 * them, with every argument quoted so that `cmd.exe` cannot take a part of it for a command. The working directory is not
 * searched. Throws an error with the code `ENOENT` if there is no such program, and `BatchArgumentInvalid`.
 *
 * @example
 * ```ts
 * import { launchOf } from "@agent-auth/login/programs";
 *
 * const options = { env: { PATH: "C:\\nodejs" }, platform: "win32", isFile: () => true } as const;
 * console.log(launchOf("npm.cmd", ["ci"], options).file); // C:\Windows\System32\cmd.exe
 * console.log(launchOf("npm", ["ci"], { env: {}, platform: "linux" }).file); // npm
 * ```
 */
export const launchOf = (
  program: string,
  args: ReadonlyArray<string>,
  { cwd, env, isFile = isFileOfDisk, platform = process.platform }: LaunchOptions,
): Launch => {
  if (platform !== "win32") return { file: program, args };
  const variable = (name: string): string | undefined =>
    Object.entries(env).findLast(([one]) => one.toUpperCase() === name)?.[1];
  const folders = /[\\/:]/.test(program)
    ? [cwd ?? process.cwd()]
    : (variable("PATH") ?? "").split(";").filter((folder) => win32.isAbsolute(folder));
  const file = folders
    .flatMap((folder) => namesOf(win32.resolve(folder, program)))
    .find((path) => isFile(path));
  if (file === undefined)
    throw Object.assign(new Error(`there is no program ${program}`), { code: "ENOENT" });
  if (!/\.(?:bat|cmd)$/i.test(file)) return { file, args };
  return {
    file: win32.join(variable("SYSTEMROOT") ?? "C:\\Windows", "System32", "cmd.exe"),
    args: ["/e:ON", "/v:OFF", "/d", "/c", `""${file}"${args.map(batchArgument).join("")}"`],
    windowsVerbatimArguments: true,
  };
};

/**
 * No batch file can be given this argument, because `cmd.exe` ends a command at a line break.
 *
 * @example
 * ```ts
 * import { BatchArgumentInvalid, launchOf } from "@agent-auth/login/programs";
 *
 * try {
 *   launchOf("npm.cmd", ["a\nb"], { env: { PATH: "C:\\nodejs" }, platform: "win32", isFile: () => true });
 * } catch (error) {
 *   console.log(error instanceof BatchArgumentInvalid); // true
 * }
 * ```
 */
export class BatchArgumentInvalid extends Error {
  readonly code = "EINVAL";
  constructor() {
    super("a batch file cannot be given an argument with a line break or a NUL character");
  }
}

const isFileOfDisk = (path: string): boolean => {
  try {
    return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
  } catch {
    return isAlias(path); // or it is in a folder that cannot be read, where the search does not end
  }
};

/** Whether this is a program of the Microsoft Store: a link that only Windows can follow. */
const isAlias = (path: string): boolean => {
  try {
    return lstatSync(path).isSymbolicLink();
  } catch {
    return false;
  }
};

/** Without the extensions of `PATHEXT` that only a shell can open, such as `.js`. */
const extensions = [".com", ".exe", ".bat", ".cmd"];

const namesOf = (path: string): ReadonlyArray<string> => {
  const added = extensions.map((extension) => path + extension);
  return extensions.includes(win32.extname(path).toLowerCase()) ? [path, ...added] : added;
};

/**
 * Quotes an argument as Rust's standard library has done since CVE-2024-24576. A quote is doubled, because after `\"` cmd.exe
 * takes the rest for commands. `%%cd:~,%` expands to `%`, which keeps it from naming a variable.
 */
const batchArgument = (argument: string): string => {
  if (/[\0\r\n]/.test(argument)) throw new BatchArgumentInvalid();
  const escaped = argument.replaceAll(/(\\*)"/g, '$1$1""').replaceAll("%", "%%cd:~,%");
  return /^[\w#$*+\-./:?@\\]*[\w#$*+\-./:?@]$/.test(argument)
    ? ` ${escaped}`
    : ` "${escaped.replace(/\\+$/, "$&$&")}"`;
};
