import { createHash } from "node:crypto";
import { runInBackground } from "@agent-auth/login/manager/background";
import * as Effect from "effect/Effect";
import * as PubSub from "effect/PubSub";
import * as Queue from "effect/Queue";
import * as Random from "effect/Random";
import * as Scope from "effect/Scope";
import * as Stream from "effect/Stream";
import type { Database } from "../connection/index.ts";
import { keepAliveToRelease } from "../connection/release.ts";
import type { Rows } from "./rows.ts";

export interface ChangesOptions {
  readonly database: Database;
  readonly rows: Rows;
  readonly signIn: string;
  /** Listen for notifications, or only poll. */
  readonly notify: "listen" | "poll";
  /** Milliseconds between two reads of the row, while there are no notifications. */
  readonly pollMs: number;
}

/** A pooler accepts LISTEN and forgets it, so the program has to receive its own notification within this time. */
const ECHO_WITHIN_MS = 3_000;
/** If no notification came for this long, the connection is tested and the row is read. */
const QUIET_MS = 60_000;
/** After LISTEN did not work, it is tried again this much later. */
const LISTEN_AGAIN_MS = 60_000;
const RECONNECT_MS = 500;

/**
 * Emits an element whenever the row may have changed: by LISTEN, or by polling if LISTEN is not available or broken.
 * Starts with the first subscriber, and is shared by all.
 */
export const makeChanges = Effect.fnUntraced(function* ({
  database,
  notify,
  pollMs,
  rows,
  signIn,
}: ChangesOptions): Effect.fn.Return<Stream.Stream<void>, never, Scope.Scope> {
  const scope = yield* Effect.scope;
  const hub = yield* PubSub.sliding<void>(1);
  const tell = PubSub.publish(hub, undefined);
  const { channel } = database.names;
  const payload = createHash("md5").update(signIn).digest("hex");

  let seen: string | undefined;
  const look = Effect.matchEffect(rows.stamp, {
    onFailure: () => Effect.void,
    onSuccess: (stamp) => {
      const isNew = seen !== undefined && stamp !== seen;
      seen = stamp;
      return isNew ? Effect.asVoid(tell) : Effect.void;
    },
  });
  const pollFor = (ms: number) =>
    Effect.gen(function* () {
      yield* look;
      yield* Effect.sleep(pollMs * (yield* Random.nextBetween(0.8, 1.2)));
    }).pipe(Effect.forever, Effect.timeoutOption(ms), Effect.asVoid);

  /** Ends when LISTEN does not work; fails when the connection breaks. */
  const listen = Effect.scoped(
    Effect.gen(function* () {
      const client = yield* database.listening;
      if (client === undefined) return;
      const heard = yield* keepAliveToRelease(client.listen(channel));
      const hear = Effect.repeat(Queue.take(heard), { until: (it) => it.payload === payload });
      const hearMyself = (text: string) =>
        Effect.andThen(
          client.notify(channel, text),
          Effect.timeoutOption(
            Effect.repeat(Queue.take(heard), { until: (it) => it.payload === text }),
            ECHO_WITHIN_MS,
          ),
        );
      // What changed before LISTEN was confirmed is not announced any more.
      const works = yield* hearMyself(payload);
      yield* tell;
      while (works._tag === "Some") {
        const one = yield* Effect.timeoutOption(hear, QUIET_MS);
        if (one._tag === "Some" || (yield* hearMyself(payload))._tag === "Some") yield* tell;
        else return;
      }
    }),
  );

  const forever =
    notify === "poll"
      ? pollFor(Infinity)
      : Effect.gen(function* () {
          const end = yield* Effect.result(listen);
          if (end._tag === "Success") return yield* pollFor(LISTEN_AGAIN_MS);
          yield* tell;
          yield* pollFor(RECONNECT_MS * (yield* Random.nextBetween(0.5, 1.5)));
        }).pipe(Effect.forever);
  const start = yield* Effect.cached(Scope.provide(runInBackground(forever), scope));
  return Stream.unwrap(Effect.as(start, Stream.fromPubSub(hub)));
});
