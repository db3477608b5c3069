// A private pgbouncer for tests, in front of a private PostgreSQL: its own folder and port, ended by its process id.
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { chown } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { accepts, freePort, type Postgres, serverAccount } from "./postgres.ts";

const binary = ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer"].find((path) => existsSync(path));

/** The reason why no pgbouncer can be started here; `undefined` if it can. */
export const missingPgbouncer: string | undefined =
  binary === undefined ? "pgbouncer not found: run tools/debian-packages.sh pgbouncer" : undefined;

export interface Pgbouncer extends AsyncDisposable {
  /** The URL of a database of the server behind it. */
  readonly url: (database: string) => string;
}

/**
 * Starts a pgbouncer that pools transactions, with two connections to the server. Call it only if `missingPgbouncer` is
 * undefined. Disposing ends it and removes its folder.
 */
export const startPgbouncer = async (server: Postgres): Promise<Pgbouncer> => {
  if (binary === undefined) throw new Error(missingPgbouncer);
  const folder = mkdtempSync(join(tmpdir(), "agent-auth-pgbouncer-"));
  const port = await freePort("127.0.0.1");
  const settings = [
    "[databases]",
    `* = host=${server.host} port=${server.port} user=postgres`,
    "[pgbouncer]",
    "listen_addr = 127.0.0.1",
    `listen_port = ${port}`,
    "unix_socket_dir =",
    "auth_type = any",
    "pool_mode = transaction",
    "default_pool_size = 2",
  ];
  writeFileSync(join(folder, "pgbouncer.ini"), settings.join("\n"));
  if (serverAccount !== undefined) await chown(folder, serverAccount.uid, serverAccount.gid);
  const child = spawn(binary, ["-q", join(folder, "pgbouncer.ini")], {
    ...serverAccount,
    cwd: folder,
    stdio: ["ignore", "ignore", "pipe"],
  });
  let log = "";
  child.stderr.on("data", (chunk: Buffer) => {
    log = (log + chunk.toString()).slice(-2_000);
  });
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  const killNow = () => void child.kill("SIGKILL");
  process.on("exit", killNow);
  const dispose = async () => {
    process.removeListener("exit", killNow);
    if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL");
    await ended;
    rmSync(folder, { recursive: true, force: true });
  };
  for (let tries = 0; !(await accepts(port)); tries++) {
    if (child.exitCode !== null || tries > 600) {
      await dispose();
      throw new Error(`pgbouncer did not start: ${log}`);
    }
    await new Promise<void>((resolve) => void setTimeout(resolve, 20));
  }
  return {
    url: (database) => `postgres://postgres@127.0.0.1:${port}/${database}`,
    [Symbol.asyncDispose]: dispose,
  };
};
