import { createHash } from "node:crypto";
import { setTimeout } from "node:timers/promises";
import { HomeLock } from "@agent-auth/login/storage/lock";
import { parseAuthJson } from "@agent-auth/login/storage/auth-json";
import { startTestAuthority, type TestAuthority } from "@agent-auth/test-authority";
import type { Postgres } from "@agent-auth/tools/postgres";
import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import * as Redacted from "effect/Redacted";
import * as Schedule from "effect/Schedule";
import { openDatabase } from "../../src/connection/index.ts";
import { parseStoreUrl } from "../../src/connection/target.ts";
import { makeSqlStore } from "../../src/index.ts";
import { makeRows } from "../../src/store/rows.ts";
import type { Fleet, Outcome } from "./fleet.ts";

/** Milliseconds by which the authority answers late: the time in which something can happen to the holder. */
const ANSWER_MS = 400;

/** What a disturbance sees and may use. */
export interface Round {
  readonly fleet: Fleet;
  readonly postgres: Postgres;
  readonly cutMs: number;
  /** Resolves with the process id of the holder of the lease, when there is one. */
  readonly holder: () => Promise<number>;
  /** Resolves when the authority has got the refresh token. */
  readonly request: () => Promise<void>;
}

export interface Scenario {
  readonly name: string;
  /** Whether the program that holds the lease ends in it, so that a pair may be lost with it. */
  readonly killsHolder: boolean;
  /** Whether it is about the end of a lease, which is short then. */
  readonly losesLease?: boolean;
  /** Runs beside the programs. Returns the number of programs that it killed, and the server that is primary at the end. */
  readonly disturb: (
    round: Round,
  ) => Promise<{ readonly killed: number; readonly postgres: Postgres }>;
}

export interface RoundResult {
  readonly scenario: string;
  readonly refreshes: number;
  readonly successes: number;
  readonly killed: number;
  /** Programs that were told that a refresh did not end. */
  readonly interrupted: number;
  /** The authority has issued a pair that no program and no store has. */
  readonly isPairLost: boolean;
  readonly retried: ReadonlyArray<string>;
  readonly tookMs: number;
  /** What must not be; empty if all is well. */
  readonly violations: ReadonlyArray<string>;
  readonly postgres: Postgres;
}

export interface RoundOptions {
  readonly number: number;
  readonly scenario: Scenario;
  readonly fleet: Fleet;
  readonly postgres: Postgres;
  readonly keys: string;
  readonly leaseMs: number;
  readonly cutMs: number;
}

const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");
const interruptedCode = "LOGIN_REFRESH_INTERRUPTED";

export const runRound = async (options: RoundOptions): Promise<RoundResult> => {
  const { cutMs, fleet, keys, leaseMs, number, scenario } = options;
  await using authority = await startTestAuthority({ settings: { punishReuse: true } });
  authority.behave("refresh", { delayMs: ANSWER_MS });
  const signIn = `round-${number}`;
  const spent = await store(options.postgres, { keys, signIn }, authority);
  const before = fleet.hosts.flatMap(({ programs }) => programs).length;
  const startedMs = performance.now();
  const asked = fleet.ask({
    round: number,
    keys,
    signIn,
    leaseMs,
    // Generous: 64 programs share the processors of this machine with the servers.
    statementTimeoutMs: 30_000,
    tokenUrl: `${authority.issuer}/oauth/token`,
    chatgptBaseUrl: authority.chatgptBaseUrl,
    withinMs: cutMs + 120_000,
    waitsForInterrupted: !scenario.killsHolder,
  });
  const { killed, postgres } = await scenario.disturb({
    fleet,
    postgres: options.postgres,
    cutMs,
    holder: () => holderOf(options.postgres, signIn),
    request: () => until(() => authority.count("refresh") > 0),
  });
  const outcomes = (await asked).filter((outcome) => outcome !== undefined);
  const tookMs = performance.now() - startedMs;
  const stored = await load(postgres, { keys, signIn });
  await fleet.replaceEnded();
  return {
    ...judge({ authority, before, killed, outcomes, scenario, spent, stored }),
    scenario: scenario.name,
    killed,
    tookMs,
    postgres,
  };
};

interface Facts {
  readonly authority: TestAuthority;
  readonly before: number;
  readonly killed: number;
  readonly outcomes: ReadonlyArray<Outcome>;
  readonly scenario: Scenario;
  readonly spent: string;
  readonly stored: { readonly accessToken: string; readonly refreshToken: string };
}

const judge = ({ authority, before, killed, outcomes, scenario, spent, stored }: Facts) => {
  const requests = authority.requestsTo("refresh");
  const perToken = new Map<string, number>();
  for (const request of requests) {
    const body = request.json();
    const token = typeof body === "object" ? JSON.stringify(Object(body).refresh_token) : "none";
    perToken.set(token, (perToken.get(token) ?? 0) + 1);
  }
  const most = Math.max(0, ...perToken.values());
  const successes = outcomes.filter(({ accessToken }) => accessToken !== undefined);
  const failures = outcomes.flatMap(({ failure }) => (failure === undefined ? [] : [failure]));
  const interrupted = failures.filter((failure) => failure.startsWith(interruptedCode)).length;
  const others = failures.filter((failure) => !failure.startsWith(interruptedCode));
  const isStored = stored.refreshToken !== spent;
  const isPairLost = requests.length > 0 && !isStored;
  const violations: Array<string> = [];
  if (most > 1) violations.push(`a refresh token was sent ${most} times`);
  if (requests.length !== 1 && interrupted === 0)
    violations.push(`${requests.length} refreshes instead of one`);
  if (isPairLost && killed === 0) violations.push("a pair was lost although no program ended");
  if (interrupted > 0 && killed === 0)
    violations.push("a refresh was given up although no program ended");
  if (interrupted > 0 && isStored)
    violations.push("a refresh was given up although its pair was stored");
  if (successes.length + interrupted !== before - killed)
    violations.push(`${successes.length} of ${before - killed} programs succeeded`);
  if (successes.some(({ accessToken }) => accessToken !== sha256(stored.accessToken)))
    violations.push("a program has another access token than the store");
  if (!scenario.killsHolder && killed > 0) violations.push("a program ended");
  for (const failure of new Set(others)) violations.push(failure);
  const retried = outcomes.flatMap((outcome) => outcome.retried);
  return {
    refreshes: requests.length,
    successes: successes.length,
    interrupted,
    isPairLost,
    retried,
    violations,
  };
};

interface Which {
  readonly keys: string;
  readonly signIn: string;
}

const withStore = <A, E>(
  postgres: Postgres,
  { keys, signIn }: Which,
  use: (store: Effect.Success<ReturnType<typeof makeSqlStore>>) => Effect.Effect<A, E, HomeLock>,
) =>
  Effect.flatMap(
    makeSqlStore({
      statementTimeoutMs: 60_000,
      url: postgres.url(),
      keys: { _tag: "Text", keys: Redacted.make(keys) },
      signIn,
    }),
    use,
  ).pipe(Effect.scoped, Effect.provide(HomeLock.layerMemory), Effect.runPromise);

/** Stores a sign-in whose access token has expired. Returns its refresh token. */
const store = async (postgres: Postgres, which: Which, authority: TestAuthority) => {
  const tokens = await authority.mintChatgptTokens({ expiresInSeconds: -60 });
  const content = {
    auth_mode: "chatgpt",
    tokens: {
      id_token: tokens.idToken,
      access_token: tokens.accessToken,
      refresh_token: tokens.refreshToken,
      account_id: tokens.accountId,
    },
    last_refresh: new Date(0).toISOString(),
  };
  await withStore(postgres, which, ({ store }) =>
    Effect.flatMap(parseAuthJson(JSON.stringify(content)), (document) =>
      HomeLock.use(({ withLock }) => withLock(store.save(document))),
    ),
  );
  return tokens.refreshToken;
};

const load = async (postgres: Postgres, which: Which) => {
  const found = await withStore(postgres, which, ({ store }) => store.load);
  const { tokens } = Option.getOrThrow(found).document;
  if (tokens === undefined) throw new Error("no tokens are stored");
  return {
    accessToken: Redacted.value(tokens.accessToken),
    refreshToken: Redacted.value(tokens.refreshToken),
  };
};

/** Waits for the process id in the row's holder. */
const holderOf = (postgres: Postgres, signIn: string): Promise<number> =>
  Effect.gen(function* () {
    const target = yield* Effect.fromResult(parseStoreUrl(postgres.url()));
    const database = yield* openDatabase(target, { migrate: false, statementTimeoutMs: 60_000 });
    const { read } = makeRows(database, signIn);
    const pid = Effect.map(read, (row) => Number(row?.holder?.split("/")[1]));
    const look = { until: (it: number) => it > 0, schedule: Schedule.spaced(5) };
    return yield* Effect.repeat(pid, look);
  }).pipe(Effect.scoped, Effect.runPromise);

const until = async (isSo: () => boolean): Promise<void> => {
  for (let tries = 0; !isSo(); tries++) {
    if (tries > 6_000) throw new Error("waited for a minute");
    await setTimeout(10);
  }
};
