import { randomBytes } from "node:crypto";
import { hostname } from "node:os";
import {
  LeaseBusy,
  LeaseLost,
  RefreshInterrupted,
  type RefreshLockError,
  StoreUnavailable,
} from "@agent-auth/login/errors";
import type { RefreshLockImplementation } from "@agent-auth/login/storage/custom";
import type { RefreshLease } from "@agent-auth/login/storage/lock/refresh-lock";
import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import * as Random from "effect/Random";
import * as Schedule from "effect/Schedule";
import * as Semaphore from "effect/Semaphore";
import * as Scope from "effect/Scope";
import * as Stream from "effect/Stream";
import type { StatementFailure } from "../connection/index.ts";
import type { StorePlace } from "../connection/target.ts";
import { type KeyRing, seal, unseal } from "../encryption/index.ts";
import type { Rows } from "./rows.ts";

export interface LeaseOptions {
  readonly rows: Rows;
  readonly ring: KeyRing;
  readonly signIn: string;
  readonly place: StorePlace;
  readonly changes: Stream.Stream<void>;
  /** Milliseconds after which a lease ends that its holder no longer extends. */
  readonly leaseMs: number;
  /** Milliseconds to wait for another holder. */
  readonly maxWaitMs: number;
  /** What is done about a refresh token that a program may have spent before it ended. */
  readonly interruptedRefresh: "refuse" | "retry";
}

const RELEASE_WITHIN_MS = 2_000;
/** Milliseconds after the end of the lease in which recording an outcome is retried. */
const RECORD_WITHIN_MS = 300_000;

/**
 * The lease of refreshes: a holder and a fencing token in the row, valid until a time of the database's clock. That a
 * refresh token is about to be sent is recorded in the row first. If the holder ends after that, no program can know
 * whether the token was spent, and it is not sent again.
 */
export const makeLease = Effect.fnUntraced(function* (
  options: LeaseOptions,
): Effect.fn.Return<RefreshLockImplementation, never, Scope.Scope> {
  const { changes, interruptedRefresh, leaseMs, maxWaitMs, place, ring, rows, signIn } = options;
  const { where } = place;
  const layerScope = yield* Effect.scope;
  /** Another program must not take it for its own; people should see who it is. */
  const holder = `${hostname()}/${process.pid}/${randomBytes(6).toString("hex")}`;
  let fence = 0;

  const unavailable = ({ advice, reason }: StatementFailure) =>
    new StoreUnavailable({
      where,
      operation: "lock",
      reason,
      ...(advice !== undefined && { advice }),
    });

  const take = Effect.suspend(() =>
    rows.take({
      holder,
      forMs: leaseMs,
      above: fence,
      alsoInterrupted: interruptedRefresh === "retry",
    }),
  );
  /** Undefined: another holder has the lease. */
  const attempt = Effect.gen(function* () {
    const taken = yield* take;
    if (taken !== undefined) return taken;
    const row = yield* rows.read;
    if (row === undefined) {
      yield* rows.insert;
      return yield* take;
    }
    const { isLeaseOver, spendingHolder, spendingSinceMs, spendingVersion, version } = row;
    const isInterrupted = isLeaseOver && spendingVersion === version && spendingHolder !== holder;
    if (!isInterrupted || interruptedRefresh === "retry") return undefined;
    return new RefreshInterrupted({
      where,
      holder: nameOf(spendingHolder ?? ""),
      startedAtMs: spendingSinceMs ?? 0,
    });
  }).pipe(
    Effect.mapError(unavailable),
    Effect.flatMap((outcome) =>
      outcome instanceof RefreshInterrupted ? Effect.fail(outcome) : Effect.succeed(outcome),
    ),
  );

  const keepAlive = (token: number) =>
    rows.extend({ holder, fence: token, forMs: leaseMs, isSpending: false }).pipe(
      Effect.delay(leaseMs / 4),
      Effect.orElseSucceed(() => true),
      Effect.repeat({ while: (isHeld) => isHeld }),
    );

  const waitForTurn = (triedTimes: number) =>
    Effect.gen(function* () {
      const pauseMs =
        Math.min(50 * 1.5 ** triedTimes, 1_000) * (yield* Random.nextBetween(0.7, 1.3));
      const announced = Stream.runDrain(Stream.take(changes, 1));
      // All waiting tasks get the same notification.
      const spread = Effect.flatMap(Random.nextBetween(0, 100), Effect.sleep);
      yield* Effect.raceFirst(Effect.sleep(pauseMs), Effect.andThen(announced, spread));
    });

  /** To the database, all tasks of this program are one holder. */
  const queue = Semaphore.makeUnsafe(1);
  const acquire: Effect.Effect<RefreshLease, RefreshLockError, Scope.Scope> =
    Effect.uninterruptibleMask((restore) =>
      Effect.gen(function* () {
        const startedMs = yield* Clock.currentTimeMillis;
        const turn = Effect.timeoutOrElse(restore(Semaphore.takeScoped(queue, 1)), {
          duration: maxWaitMs,
          orElse: () => Effect.fail(new LeaseBusy({ where, waitedMs: maxWaitMs })),
        });
        yield* turn;
        let token: number | undefined;
        for (let tried = 0; ; tried++) {
          token = yield* attempt;
          if (token !== undefined) break;
          const waitedMs = (yield* Clock.currentTimeMillis) - startedMs;
          if (waitedMs >= maxWaitMs) return yield* new LeaseBusy({ where, waitedMs });
          yield* restore(waitForTurn(tried));
        }
        const mine = token;
        fence = mine;
        const scope = yield* Scope.Scope;
        const release = Effect.ignore(rows.release(holder, mine));
        yield* Scope.addFinalizer(
          scope,
          Effect.asVoid(Effect.timeoutOption(release, RELEASE_WITHIN_MS)),
        );
        yield* Effect.forkIn(keepAlive(mine), scope);
        const confirm = rows.extend({ holder, fence: mine, forMs: leaseMs, isSpending: true }).pipe(
          Effect.mapError(unavailable),
          Effect.flatMap((isHeld) =>
            isHeld ? Effect.void : Effect.fail(new LeaseLost({ where })),
          ),
        );
        return { fencingToken: mine, confirm };
      }),
    ).pipe(Effect.withSpan("SqlStore.acquireLease", { attributes: { store: place.name } }));

  const cell = { kind: "outcome", signIn, version: 0 } as const;
  return {
    acquire,
    outcomes: changes,
    lastOutcome: Effect.gen(function* () {
      const row = yield* Effect.mapError(rows.read, unavailable);
      if (row === undefined || row.outcome === null) return Option.none();
      // Without the key, no outcome can be shared; loading the document reports what is wrong.
      return yield* Effect.option(unseal(ring, cell, row.outcome));
    }),
    recordOutcome: Effect.fnUntraced(function* (text) {
      const sealed = yield* Effect.mapError(
        seal(ring, cell, text),
        (problem) => new StoreUnavailable({ where, operation: "lock", ...problem }),
      );
      const record = rows.recordOutcome(sealed, isTokenUnspent(text), fence);
      yield* Effect.catch(record, (failure) => {
        const schedule = Schedule.upTo(Schedule.spaced(1_000), { duration: RECORD_WITHIN_MS });
        const later = Effect.ignore(Effect.retry(record, { schedule }));
        return Effect.andThen(Effect.forkIn(later, layerScope), Effect.fail(unavailable(failure)));
      });
    }),
  };
});

/** `host (process 123)`, of the id of a holder. */
const nameOf = (holder: string): string => {
  const [host, pid] = holder.split("/");
  return `${host} (process ${pid})`;
};

/**
 * Whether an outcome clears the mark of a token that is being spent: a rejection or a failure does, unless the
 * authority responded with success. After a success, storing the new pair clears it.
 */
const isTokenUnspent = (outcome: string): boolean => {
  const { result }: { result?: { _tag?: string; isSpent?: boolean } } = JSON.parse(outcome);
  return result?._tag === "Rejected" || (result?._tag === "Failed" && result.isSpent !== true);
};
