import { createInterface } from "node:readline";
import type { CliHome } from "./cli.ts";

/** A proxy of the built binary, running. */
export class RunningProxy implements AsyncDisposable {
  readonly baseUrl: string;
  readonly #child: ReturnType<CliHome["spawn"]>;
  readonly #log: string[];
  readonly #said: string[];
  readonly #ended: Promise<number | null>;

  private constructor(child: ReturnType<CliHome["spawn"]>, said: string[], log: string[]) {
    this.baseUrl = said[0] ?? "";
    this.#child = child;
    this.#said = said;
    this.#log = log;
    this.#ended = new Promise((resolve) => child.once("close", resolve));
  }

  static async start(
    home: CliHome,
    args: readonly string[] = [],
    env: Readonly<Record<string, string>> = {},
  ): Promise<RunningProxy> {
    const child = home.spawn(["proxy", ...args], { env });
    const log: string[] = [];
    createInterface(child.stderr).on("line", (line) => log.push(line));
    const said: string[] = [];
    await new Promise<void>((resolve, reject) => {
      createInterface(child.stdout).on("line", (line) => {
        said.push(line);
        resolve();
      });
      child.once("close", (code) => reject(new Error(`ended with ${code}: ${log.join("\n")}`)));
    });
    return new RunningProxy(child, said, log);
  }

  get port(): number {
    return Number(new URL(this.baseUrl).port);
  }

  get pid(): number {
    return this.#child.pid ?? -1;
  }

  /** Lines of the access log so far. */
  get log(): readonly string[] {
    return this.#log;
  }

  /** Lines on stdout so far. */
  get said(): readonly string[] {
    return this.#said;
  }

  /** Waits for a line of the access log. */
  async logged(pattern: RegExp): Promise<string> {
    for (;;) {
      const line = this.#log.find((one) => pattern.test(one));
      if (line !== undefined) return line;
      await new Promise((resolve) => this.#child.stderr.once("data", resolve));
      await new Promise(setImmediate);
    }
  }

  /** Sends a signal and waits for the end; the exit code. */
  stop(signal: NodeJS.Signals = "SIGINT"): Promise<number | null> {
    this.#child.kill(signal);
    return this.#ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null) await this.stop("SIGKILL");
  }
}
