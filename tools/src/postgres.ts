// A private PostgreSQL for tests: its own data folder and port, never the system's cluster, ended by its process id.
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import {
  appendFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { chown } from "node:fs/promises";
import { createConnection, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

const root = "/usr/lib/postgresql";
const binaries = (() => {
  if (!existsSync(root)) return undefined;
  const versions = readdirSync(root).map(Number).filter(Number.isFinite);
  const folders = versions.toSorted((a, b) => b - a).map((version) => join(root, `${version}/bin`));
  return folders.find((folder) => existsSync(join(folder, "initdb")));
})();

/** The user that runs a server if this process is root, whom PostgreSQL and pgbouncer refuse. */
export const serverAccount = ((): { readonly uid: number; readonly gid: number } | undefined => {
  if (process.getuid?.() !== 0) return undefined;
  const line = readFileSync("/etc/passwd", "utf8").match(/^(?:postgres|nobody):[^:]*:(\d+):(\d+)/m);
  return { uid: Number(line?.[1] ?? 65_534), gid: Number(line?.[2] ?? 65_534) };
})();

/** The reason why no PostgreSQL can be started here; `undefined` if it can. */
export const missingPostgres: string | undefined =
  binaries === undefined
    ? "PostgreSQL not found: run tools/debian-packages.sh postgresql"
    : undefined;

export interface PostgresOptions {
  /** Lines of `postgresql.conf`. */
  readonly settings?: ReadonlyArray<string>;
  /** Starts a streaming replica of this server instead of a new one. */
  readonly replicaOf?: Postgres;
  /** Where it listens, beside its Unix socket. Default: 127.0.0.1. */
  readonly host?: string;
  /** A certificate and its key, as PEM. With them, TLS is accepted on TCP connections. */
  readonly tls?: { readonly certificate: string; readonly key: string };
}

export interface Postgres extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
  /** Holds data, log and socket. */
  readonly folder: string;
  /** The URL of a database for the superuser `postgres`, who needs no password. Default: `postgres`. */
  readonly url: (database?: string) => string;
  /** Runs SQL as the superuser, each statement in its own transaction, and returns what psql prints: rows, unaligned. */
  readonly sql: (statements: string, database?: string) => string;
  /** Makes an empty database and returns its URL. */
  readonly createDatabase: (name?: string) => string;
  /** Ends the server: `fast` cuts its connections, `immediate` is a crash. The data stay. */
  readonly stop: (mode?: "fast" | "immediate") => Promise<void>;
  /** Starts a stopped server again, on the same port. */
  readonly start: () => Promise<void>;
  /** Makes a replica a primary, and waits until it takes writes. */
  readonly promote: () => Promise<void>;
}

/**
 * Starts a PostgreSQL on a free port of loopback, without fsync: a crash of the server loses nothing, one of the machine
 * may. Call it only if `missingPostgres` is undefined. Disposing ends the server and removes its folder.
 */
export const startPostgres = async (options: PostgresOptions = {}): Promise<Postgres> => {
  if (binaries === undefined) throw new Error(missingPostgres);
  const bin = binaries;
  const host = options.host ?? "127.0.0.1";
  const folder = mkdtempSync(join(tmpdir(), "agent-auth-postgres-"));
  if (serverAccount !== undefined) await chown(folder, serverAccount.uid, serverAccount.gid);
  const data = join(folder, "data");
  const as = {
    ...serverAccount,
    cwd: folder,
    env: { PATH: process.env["PATH"], LC_ALL: "C.UTF-8" },
  };
  const run = (program: string, args: ReadonlyArray<string>, input?: string): string => {
    const done = spawnSync(join(bin, program), args, { ...as, encoding: "utf8", input });
    if (done.status === 0) return done.stdout;
    throw new Error(`${program} failed: ${done.error?.message ?? done.stderr}`);
  };
  let server: ChildProcess | undefined;
  const port = await freePort(host);
  try {
    if (options.replicaOf === undefined) {
      run("initdb", ["-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync"]);
    } else {
      const { host: primary, port: primaryPort } = options.replicaOf;
      const from = `host=${primary} port=${primaryPort} user=postgres application_name=replica`;
      run("pg_basebackup", [
        "-D",
        data,
        "-d",
        from,
        "-R",
        "-X",
        "stream",
        "-c",
        "fast",
        "--no-sync",
      ]);
    }
    const settings = [
      `port = ${port}`,
      `listen_addresses = '${host}'`,
      `unix_socket_directories = '${folder}'`,
      "fsync = off",
      "max_connections = 300",
      "shared_buffers = 16MB",
      "dynamic_shared_memory_type = mmap",
      ...(options.settings ?? []),
    ];
    if (options.tls !== undefined) {
      writeFileSync(join(folder, "server.crt"), options.tls.certificate);
      writeFileSync(join(folder, "server.key"), options.tls.key, { mode: 0o600 });
      if (serverAccount !== undefined)
        await chown(join(folder, "server.key"), serverAccount.uid, serverAccount.gid);
      settings.push("ssl = on", `ssl_cert_file = '${folder}/server.crt'`);
      settings.push(`ssl_key_file = '${folder}/server.key'`);
    }
    appendFileSync(join(data, "postgresql.conf"), `\n${settings.join("\n")}\n`);
    if (host !== "127.0.0.1")
      appendFileSync(join(data, "pg_hba.conf"), "\nhost all,replication all samenet trust\n");
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }

  const url = (database = "postgres") => `postgres://postgres@${host}:${port}/${database}`;
  const psql = (statements: string, database = "postgres") =>
    run(
      "psql",
      ["-XqAt", "-v", "ON_ERROR_STOP=1", "-h", folder, "-p", `${port}`, "-U", "postgres", database],
      statements,
    ).trimEnd();

  const start = async () => {
    const child = spawn(join(bin, "postgres"), ["-D", data], {
      ...as,
      stdio: ["ignore", "ignore", "pipe"],
    });
    let log = "";
    child.stderr.on("data", (chunk: Buffer) => {
      log = (log + chunk.toString()).slice(-4_000);
    });
    server = child;
    const ended = new Promise<"ended">((resolve) => child.once("close", () => resolve("ended")));
    const isReady = () =>
      spawnSync(join(bin, "pg_isready"), ["-q", "-h", folder, "-p", `${port}`], as).status === 0;
    for (let tries = 0; !isReady(); tries++) {
      const outcome = await Promise.race([ended, pause(50)]);
      if (outcome === "ended" || tries > 600) throw new Error(`PostgreSQL did not start: ${log}`);
    }
  };
  const stop = async (mode: "fast" | "immediate" = "fast") => {
    const child = server;
    server = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
    child.kill(mode === "fast" ? "SIGINT" : "SIGQUIT");
    await ended;
  };
  const dispose = async () => {
    process.removeListener("exit", killNow);
    await stop("immediate");
    rmSync(folder, { recursive: true, force: true });
  };
  // A test that is ended early must not leave a server behind.
  const killNow = () => void server?.kill("SIGQUIT");
  process.on("exit", killNow);
  await start().catch(async (error: unknown) => {
    await dispose();
    throw error;
  });
  let databases = 0;
  return {
    host,
    port,
    folder,
    url,
    sql: psql,
    createDatabase: (name = `test_${++databases}`) => {
      psql(`CREATE DATABASE "${name}"`);
      return url(name);
    },
    stop,
    start,
    promote: async () => {
      psql("SELECT pg_promote(true, 30)");
    },
    [Symbol.asyncDispose]: dispose,
  };
};

const pause = (ms: number) => new Promise<void>((resolve) => void setTimeout(resolve, ms));

/** A free port of an address. */
export const freePort = (host: string): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, host, () => {
      const address = server.address();
      const port = typeof address === "object" && address !== null ? address.port : 0;
      server.close(() => resolve(port));
    });
  });

/** Whether something accepts connections on a port of loopback. */
export const accepts = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = createConnection({ port, host: "127.0.0.1" });
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
