import { spawn, type ChildProcess } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { startTestAuthority } from "@agent-auth/test-authority";
import { bundleProgram, type BundledProgram } from "../support/bundle-program.ts";

export interface RoundOptions {
  /** What `bundleWorker` returned. */
  readonly worker: BundledProgram;
  readonly processes: number;
  /** Milliseconds by which the authority answers a refresh late. */
  readonly delayMs: number;
  /** The status of each answer to a refresh. Default: the refresh succeeds. */
  readonly status?: number;
}

export interface RoundResult {
  readonly refreshRequests: number;
  readonly successes: number;
  /** What the processes that failed said. */
  readonly failures: ReadonlyArray<string>;
  /** Whether all processes that succeeded ended with the access token that is stored. */
  readonly isOnePair: boolean;
  /** Milliseconds until all processes had started: they had loaded what they import, and asked for nothing. */
  readonly startMs: number;
  /** Milliseconds from then until the last process had its outcome. */
  readonly waitMs: number;
  /** Milliseconds between the arrival of the first and the last refresh request. */
  readonly seriesMs: number;
}

export const bundleWorker = (): Promise<BundledProgram> =>
  bundleProgram(join(import.meta.dirname, "refresh-worker.ts"));

/**
 * Starts processes that share a CODEX_HOME with an expired access token, lets all of them loose at once, and counts
 * the refresh requests at an authority that rotates refresh tokens and treats their reuse as theft.
 */
export const runRound = async (options: RoundOptions): Promise<RoundResult> => {
  const { delayMs, processes, status, worker } = options;
  await using authority = await startTestAuthority({ settings: { punishReuse: true } });
  const home = await mkdtemp(join(tmpdir(), "login-stress-"));
  const path = join(home, "auth.json");
  const tokens = await authority.mintChatgptTokens({ expiresInSeconds: -60 });
  await writeFile(path, JSON.stringify(asDocument(tokens)), { mode: 0o600 });
  await writeFile(join(home, "config.toml"), `chatgpt_base_url = "${authority.chatgptBaseUrl}"\n`);
  if (status !== undefined) authority.behave("refresh", { status, delayMs });
  else if (delayMs > 0) authority.behave("refresh", { delayMs });
  const startedMs = performance.now();
  const workers = Array.from({ length: processes }, () =>
    startWorker(worker, {
      CODEX_HOME: home,
      CODEX_REFRESH_TOKEN_URL_OVERRIDE: `${authority.url}/oauth/token`,
    }),
  );
  try {
    await Promise.all(workers.map(({ ready }) => ready));
    const releasedMs = performance.now();
    for (const one of workers) one.release();
    const outcomes = await Promise.all(workers.map(({ outcome }) => outcome));
    const endedMs = performance.now();
    const stored: { tokens: { access_token: string } } = JSON.parse(await readFile(path, "utf8"));
    const expected = createHash("sha256").update(stored.tokens.access_token).digest("hex");
    const failures = outcomes.flatMap(({ failed }) => (failed === undefined ? [] : [failed]));
    const arrivals = authority.requestsTo("refresh").map(({ receivedAtMs }) => receivedAtMs);
    return {
      refreshRequests: arrivals.length,
      successes: outcomes.length - failures.length,
      failures,
      isOnePair: outcomes.every(
        ({ accessTokenSha256, failed }) => failed !== undefined || accessTokenSha256 === expected,
      ),
      startMs: releasedMs - startedMs,
      waitMs: endedMs - releasedMs,
      seriesMs: Math.max(...arrivals) - Math.min(...arrivals),
    };
  } finally {
    for (const one of workers) one.stop();
    await rm(home, { recursive: true, force: true });
  }
};

const asDocument = (tokens: {
  readonly idToken: string;
  readonly accessToken: string;
  readonly refreshToken: string;
  readonly accountId: string;
}) => ({
  auth_mode: "chatgpt",
  OPENAI_API_KEY: null,
  tokens: {
    id_token: tokens.idToken,
    access_token: tokens.accessToken,
    refresh_token: tokens.refreshToken,
    account_id: tokens.accountId,
  },
  last_refresh: new Date(0).toISOString(),
});

interface Outcome {
  readonly accessTokenSha256?: string;
  readonly failed?: string;
}

const startWorker = (worker: BundledProgram, env: Readonly<Record<string, string>>) => {
  const [node, file] = worker.command;
  const child = spawn(node, [file], {
    env: { ...inherited(), ...worker.env, ...env },
    stdio: ["pipe", "pipe", "pipe"],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const ready = nextLine(lines, child);
  return {
    ready,
    release: () => child.stdin.end("go\n"),
    outcome: ready
      .then(() => nextLine(lines, child))
      .then((line): Outcome => JSON.parse(line))
      .catch((error: unknown): Outcome => ({ failed: String(error) })),
    stop: () => void child.kill(),
  };
};

/** Under Wine, programs need those of Node (tools/src/wine). */
const inherited = () =>
  Object.fromEntries(
    ["PATH", "NODE_OPTIONS", "NODE_PATH"].flatMap((name) => {
      const value = process.env[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );

const nextLine = async (lines: AsyncIterator<string>, child: ChildProcess): Promise<string> => {
  const { done, value } = await lines.next();
  if (done !== true) return value;
  throw new Error(`worker ${child.pid} ended early: ${String(child.stderr?.read() ?? "")}`);
};
