import { assert, describe, it } from "@effect/vitest";
import * as Effect from "effect/Effect";
import * as Result from "effect/Result";
import { openCallbackServer } from "../../src/oauth/callback/server.ts";
import { visit } from "./fixture.ts";

const open = openCallbackServer({
  state: "mine",
  applicationName: "test",
  onRefused: () => {},
  ports: [0],
  patienceMs: 0,
});

describe("CallbackHandler", () => {
  it.live("cannot commit what was cancelled, nor cancel what was committed", () =>
    Effect.gen(function* () {
      const cancelled = yield* open;
      yield* visit(new URL("/cancel", cancelled.redirectUri).href);
      assert.isTrue(Result.isFailure(yield* Effect.result(cancelled.desk.commit)));
      const committed = yield* open;
      yield* committed.desk.commit;
      const late = yield* visit(new URL("/cancel", committed.redirectUri).href);
      assert.strictEqual(late.status, 409);
    }).pipe(Effect.scoped),
  );

  it.live("keeps its first outcome", () =>
    Effect.gen(function* () {
      const { desk, redirectUri } = yield* open;
      yield* desk.succeed;
      yield* desk.fail({ status: 500, tone: "bad", icon: "cross", title: "no", paragraphs: [] });
      const callback = yield* visit(`${redirectUri}?code=x&state=mine`);
      assert.strictEqual(callback.location, "/success");
    }).pipe(Effect.scoped),
  );
});
