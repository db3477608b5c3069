import { spawn, type ChildProcess } from "node:child_process";
import { agentAuth, type CliHome } from "../support/cli.ts";

/** A `login` that a person is in the middle of. Disposing of it kills what is left. */
export interface RunningLogin extends AsyncDisposable {
  readonly child: ChildProcess;
  /** Everything it has said to the person. */
  readonly said: () => string;
  /** The first match in its output, now or later; rejects if it ends without one. */
  readonly says: (pattern: RegExp) => Promise<string>;
  /** Its exit code. */
  readonly exit: Promise<number | null>;
}

export interface LoginOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Runs it in a pseudo-terminal with so many columns (util-linux `script`). */
  readonly columns?: number;
}

const authorizeUrl = /^https?:\S+\/oauth\/authorize\?\S+$/m;
const userCode = /^[A-Z]{4}-[A-Z]{4}$/m;

/** The address that it tells the person to open. */
export const addressOf = (login: RunningLogin): Promise<string> => login.says(authorizeUrl);

/** The code that it tells the person to enter. */
export const codeOf = (login: RunningLogin): Promise<string> => login.says(userCode);

/** Starts `agent-auth login …` in its own CODEX_HOME. */
export const startLogin = (
  home: CliHome,
  args: readonly string[],
  { env = {}, columns }: LoginOptions = {},
): RunningLogin => {
  const words = [...agentAuth, "login", ...args];
  const [program = "", ...rest] = columns === undefined ? words : inTerminal(words, columns);
  const variables = { ...home.env({ BROWSER: "none", TERM: "xterm", ...env }), SHELL: "/bin/sh" };
  const child = spawn(program, rest, { env: variables, stdio: ["pipe", "pipe", "pipe"] });
  let text = "";
  const wake = new Set<() => void>();
  const hear = (chunk: Buffer) => {
    text += chunk.toString();
    for (const look of wake) look();
  };
  child.stderr.on("data", hear);
  child.stdout.on("data", hear);
  const exit = new Promise<number | null>((resolve) => child.once("close", resolve));
  return {
    child,
    exit,
    said: () => text,
    says: (pattern) =>
      new Promise((resolve, reject) => {
        const look = () => {
          const found = pattern.exec(text.replaceAll("\r", ""));
          if (found === null) return;
          wake.delete(look);
          resolve(found[0]);
        };
        wake.add(look);
        look();
        void exit.then((code) => reject(new Error(`login ended with ${code}: ${text}`)));
      }),
    [Symbol.asyncDispose]: async () => {
      if (child.exitCode === null && child.signalCode === null) child.kill("SIGTERM");
      await exit;
    },
  };
};

const inTerminal = (words: readonly string[], columns: number): readonly string[] => {
  const command = words.map((word) => `'${word}'`).join(" ");
  return ["script", "-qefc", `stty cols ${columns} rows 24; exec ${command}`, "/dev/null"];
};
