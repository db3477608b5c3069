import { spawn, type ChildProcess } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { startTestAuthority } from "@agent-auth/test-authority";

export interface RoundOptions {
  readonly processes: number;
  /** Milliseconds by which the authority answers a refresh late. */
  readonly delayMs: number;
}

export interface RoundResult {
  readonly refreshRequests: number;
  readonly successes: number;
  /** What the processes that failed said. */
  readonly failures: ReadonlyArray<string>;
  /** Whether all processes ended with the access token that is stored. */
  readonly isOnePair: boolean;
}

/**
 * Starts processes that share a CODEX_HOME with an expired access token, lets all of them loose at once, and counts
 * the refresh requests at an authority that rotates refresh tokens and treats their reuse as theft.
 */
export const runRound = async ({ delayMs, processes }: RoundOptions): Promise<RoundResult> => {
  await using authority = await startTestAuthority({ settings: { punishReuse: true } });
  const home = await mkdtemp(join(tmpdir(), "login-stress-"));
  const path = join(home, "auth.json");
  const tokens = await authority.mintChatgptTokens({ expiresInSeconds: -60 });
  await writeFile(path, JSON.stringify(asDocument(tokens)), { mode: 0o600 });
  if (delayMs > 0) authority.behave("refresh", { delayMs });
  const workers = Array.from({ length: processes }, () =>
    startWorker({
      CODEX_HOME: home,
      CODEX_REFRESH_TOKEN_URL_OVERRIDE: `${authority.url}/oauth/token`,
    }),
  );
  try {
    await Promise.all(workers.map((worker) => worker.ready));
    for (const worker of workers) worker.release();
    const outcomes = await Promise.all(workers.map((worker) => worker.outcome));
    const stored: { tokens: { access_token: string } } = JSON.parse(await readFile(path, "utf8"));
    const expected = createHash("sha256").update(stored.tokens.access_token).digest("hex");
    const failures = outcomes.flatMap(({ failed }) => (failed === undefined ? [] : [failed]));
    return {
      refreshRequests: authority.count("refresh"),
      successes: outcomes.length - failures.length,
      failures,
      isOnePair: outcomes.every(({ accessTokenSha256 }) => accessTokenSha256 === expected),
    };
  } finally {
    for (const worker of workers) worker.stop();
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

const startWorker = (env: Readonly<Record<string, string>>) => {
  const child = spawn(
    process.execPath,
    ["--conditions=@agent-auth/source", join(import.meta.dirname, "refresh-worker.ts")],
    { env: { PATH: process.env["PATH"], ...env }, stdio: ["pipe", "pipe", "pipe"] },
  );
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

const nextLine = async (lines: AsyncIterator<string>, child: ChildProcess): Promise<string> => {
  const { done, value } = await lines.next();
  if (done !== true) return value;
  throw new Error(`worker ${child.pid} ended early: ${String(child.stderr?.read() ?? "")}`);
};
