// A private Redis for tests: its own port, nothing on disk, ended by its process id.
import { spawn, type ChildProcess } from "node:child_process";
import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { accepts, freePort } from "./postgres.ts";

const binary = ["/usr/bin/redis-server", "/usr/local/bin/redis-server"].find((path) =>
  existsSync(path),
);

/** The reason why no Redis can be started here; `undefined` if it can. */
export const missingRedis: string | undefined =
  binary === undefined ? "Redis not found: run tools/debian-packages.sh redis-server" : undefined;

export interface Redis extends AsyncDisposable {
  readonly port: number;
  readonly url: string;
  /** Ends the server; its data are gone. */
  readonly stop: () => Promise<void>;
  /** Starts a stopped server again, on the same port. */
  readonly start: () => Promise<void>;
}

const pause = (ms: number) => new Promise<void>((resolve) => void setTimeout(resolve, ms));

/** Starts a Redis on a free port of loopback. Call it only if `missingRedis` is undefined. Disposing ends it. */
export const startRedis = async (): Promise<Redis> => {
  if (binary === undefined) throw new Error(missingRedis);
  const program = binary;
  const port = await freePort("127.0.0.1");
  let server: ChildProcess | undefined;
  const start = async () => {
    const settings = { port, bind: "127.0.0.1", save: "", appendonly: "no", dir: tmpdir() };
    const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]);
    const child = spawn(program, args, { stdio: "ignore" });
    server = child;
    for (let tries = 0; !(await accepts(port)); tries++) {
      if (child.exitCode !== null || tries > 600) throw new Error("Redis did not start");
      await pause(20);
    }
  };
  const stop = async () => {
    const child = server;
    server = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
    child.kill("SIGKILL");
    await ended;
  };
  // A test that is ended early must not leave a server behind.
  const killNow = () => void server?.kill("SIGKILL");
  process.on("exit", killNow);
  await start();
  return {
    port,
    url: `redis://127.0.0.1:${port}`,
    stop,
    start,
    [Symbol.asyncDispose]: async () => {
      process.removeListener("exit", killNow);
      await stop();
    },
  };
};
