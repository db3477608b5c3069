import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { type BundledProgram, bundleProgram } from "@agent-auth/tools/bundle-program";
import { type Relay, startRelay } from "./relay.ts";

/** What a program is asked to do. */
export interface Order {
  readonly round: number;
  readonly url: string;
  readonly keys: string;
  readonly signIn: string;
  readonly leaseMs: number;
  readonly statementTimeoutMs: number;
  readonly tokenUrl: string;
  readonly chatgptBaseUrl: string;
  readonly codexHome: string;
  /** Milliseconds until it stops retrying. */
  readonly withinMs: number;
  /** Whether `RefreshInterrupted` is retried: its holder may only have been stopped. */
  readonly waitsForInterrupted: boolean;
}

export interface Outcome {
  readonly round: number;
  /** SHA-256. */
  readonly accessToken?: string;
  readonly failure?: string;
  /** Codes of the errors that it retried. */
  readonly retried: ReadonlyArray<string>;
  readonly tookMs: number;
}

interface Program {
  readonly child: ChildProcess;
  readonly ready: Promise<void>;
  readonly ask: (order: Order) => Promise<Outcome>;
}

export interface Host extends AsyncDisposable {
  readonly relay: Relay;
  readonly codexHome: string;
  readonly programs: Array<Program>;
}

/** Hosts with a home and a network each, and the programs on them. */
export interface Fleet extends AsyncDisposable {
  readonly hosts: ReadonlyArray<Host>;
  /** Sends every program an order, and collects the outcomes; undefined for one that was killed. */
  readonly ask: (
    order: Omit<Order, "codexHome" | "url">,
  ) => Promise<ReadonlyArray<Outcome | undefined>>;
  /** The host of a process, and the process. */
  readonly find: (pid: number) => { readonly host: Host; readonly child: ChildProcess } | undefined;
  /** Starts a program in the place of each one that has ended. */
  readonly replaceEnded: () => Promise<void>;
}

export const startFleet = async (options: {
  readonly hosts: number;
  readonly processes: number;
  readonly port: number;
  readonly urlOf: (port: number) => string;
}): Promise<Fleet> => {
  const packageDir = join(import.meta.dirname, "../..");
  const worker = await bundleProgram(join(import.meta.dirname, "worker.ts"), packageDir);
  const hosts = await Promise.all(
    Array.from({ length: options.hosts }, () => startHost(worker, options.processes, options.port)),
  );
  await Promise.all(hosts.flatMap(({ programs }) => programs.map(({ ready }) => ready)));
  return {
    hosts,
    ask: (order) =>
      Promise.all(
        hosts.flatMap(({ codexHome, programs, relay }) =>
          programs.map(({ ask }) =>
            ask({ ...order, codexHome, url: options.urlOf(relay.port) }).catch(() => undefined),
          ),
        ),
      ),
    find: (pid) => {
      for (const host of hosts)
        for (const { child } of host.programs) if (child.pid === pid) return { host, child };
      return undefined;
    },
    replaceEnded: async () => {
      for (const { programs } of hosts)
        for (const [index, { child }] of programs.entries()) {
          if (child.exitCode === null && child.signalCode === null) continue;
          const next = startProgram(worker);
          programs[index] = next;
          await next.ready;
        }
    },
    [Symbol.asyncDispose]: async () => {
      for (const host of hosts) await host[Symbol.asyncDispose]();
    },
  };
};

const startHost = async (
  worker: BundledProgram,
  processes: number,
  port: number,
): Promise<Host> => {
  const codexHome = mkdtempSync(join(tmpdir(), "login-sql-host-"));
  const relay = await startRelay(port);
  const programs = Array.from({ length: processes }, () => startProgram(worker));
  return {
    relay,
    codexHome,
    programs,
    [Symbol.asyncDispose]: async () => {
      for (const { child } of programs) child.kill("SIGKILL");
      await relay[Symbol.asyncDispose]();
      rmSync(codexHome, { recursive: true, force: true });
    },
  };
};

const startProgram = ({ command: [node, file], env }: BundledProgram): Program => {
  const child = spawn(node, [file], {
    env: { PATH: process.env["PATH"], ...env },
    stdio: ["pipe", "pipe", "ignore"],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async () => {
    const { done, value } = await lines.next();
    if (done === true) throw new Error(`program ${child.pid} has ended`);
    return value;
  };
  const ready = next().then(() => undefined);
  return {
    child,
    ready,
    ask: async (order) => {
      child.stdin.write(`${JSON.stringify(order)}\n`);
      const outcome: Outcome = JSON.parse(await next());
      return outcome;
    },
  };
};
