import { createServer } from "node:http";
import { describe, expect, it } from "@effect/vitest";
import * as Deferred from "effect/Deferred";
import * as Effect from "effect/Effect";
import * as Fiber from "effect/Fiber";
import * as TestClock from "effect/testing/TestClock";
import { requestMetadata } from "../../src/workload-identity/sources/metadata-request.ts";

/** A metadata server that sends this many bytes and never ends its response; `closed` when its caller has gone. */
const openSlowServer = Effect.fnUntraced(function* (bytes: number) {
  const asked = yield* Deferred.make<void>();
  const closed = yield* Deferred.make<void>();
  const server = createServer((_, response) => {
    if (bytes > 0) response.write("a".repeat(bytes));
    response.on("close", () => Deferred.doneUnsafe(closed, Effect.void));
    Deferred.doneUnsafe(asked, Effect.void);
  });
  yield* Effect.acquireRelease(
    Effect.promise(() => new Promise<void>((done) => void server.listen(0, "127.0.0.1", done))),
    () => Effect.sync(() => server.close()),
  );
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return { asked, closed, url: new URL(`http://127.0.0.1:${address.port}/token`) };
});

describe("a request to a metadata server", () => {
  it.effect.each([
    ["nothing", 0],
    ["one byte", 1],
    ["half of a token", 1_000],
  ] as const)("ends after 5 seconds if the server sends %s and no end", ([, bytes]) =>
    Effect.gen(function* () {
      const { asked, closed, url } = yield* openSlowServer(bytes);
      const source = { name: "gce" } as const;
      const request = yield* Effect.forkChild(
        Effect.flip(requestMetadata(source, url, {}, "hint")),
      );
      yield* Deferred.await(asked);
      yield* TestClock.adjust("5 seconds");
      expect((yield* Fiber.join(request)).message).toBe(
        `gce: no response of the metadata server ${url.host}: it timed out after 5 s`,
      );
      yield* Deferred.await(closed);
    }),
  );
});
