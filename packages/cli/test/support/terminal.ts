import { execFile, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { promisify } from "node:util";
import { agentAuth, type CliHome } from "./cli.ts";

const run = promisify(execFile);

export const hasTmux = spawnSync("tmux", ["-V"]).error === undefined;
if (!hasTmux) console.warn("skipped: no tmux here; run: tools/debian-packages.sh tmux");

export interface TerminalOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly columns?: number;
}

/** A pseudo-terminal (tmux, with its own server) in which one command of the built binary runs. */
export class Terminal implements AsyncDisposable {
  readonly #socket = `agent-auth-test-${randomBytes(6).toString("hex")}`;

  /** Starts a command; behind it the terminal shows `[exit N]`. */
  static async start(home: CliHome, args: readonly string[], options: TerminalOptions = {}) {
    const terminal = new Terminal();
    const env = { ...home.env(options.env), TERM: "xterm-256color" };
    const words = [...agentAuth, ...args].map(quoted).join(" ");
    const variables = Object.entries(env).map(([name, value]) => `${name}=${quoted(value)}`);
    const line = `env -i ${variables.join(" ")} ${words}; echo "[exit $?]"; exec sleep 600`;
    const size = ["-x", String(options.columns ?? 100), "-y", "40"];
    await terminal.#tmux(["-f", "/dev/null", "new-session", "-d", ...size, line]);
    return terminal;
  }

  #tmux(args: readonly string[]) {
    return run("tmux", ["-L", this.#socket, ...args]);
  }

  /** Presses keys, by tmux's names: `C-c`, `Enter`. */
  async press(...keys: readonly string[]): Promise<void> {
    await this.#tmux(["send-keys", ...keys]);
  }

  /** What the terminal shows; `colours` keeps the escape sequences. */
  async screen({ colours = false } = {}): Promise<string> {
    const flags = colours ? ["-e"] : [];
    const { stdout } = await this.#tmux(["capture-pane", "-p", "-J", "-S", "-", ...flags]);
    return stdout.trimEnd();
  }

  /**
   * Waits until the terminal shows something. It is looked at again and again: tmux tells of changes only to a client
   * that is attached, and one that is attached changes the size.
   */
  async shows(pattern: RegExp, timeoutMs = 10_000): Promise<string> {
    const deadlineMs = Date.now() + timeoutMs;
    for (;;) {
      const screen = await this.screen();
      if (pattern.test(screen)) return screen;
      if (Date.now() > deadlineMs) throw new Error(`never showed ${pattern}:\n${screen}`);
      await new Promise((resolve) => setTimeout(resolve, 30));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#tmux(["kill-server"]).catch(() => {});
  }
}

const quoted = (word: string) => `'${word.replaceAll("'", String.raw`'\''`)}'`;
