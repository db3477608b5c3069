// Holds the home lock of argv[2] until standard input ends. argv[3] "sqlite" does not use flock.
import { writeSync } from "node:fs";
import * as Effect from "effect/Effect";
import { HomeLock, layer } from "../../../src/storage/lock/index.ts";

const [home = "", kind = ""] = process.argv.slice(2);

const holding = Effect.promise(async () => {
  writeSync(1, "held\n");
  for await (const _ of process.stdin);
});

await Effect.runPromise(
  Effect.provide(
    Effect.flatMap(HomeLock, (lock) => lock.withLock(holding)),
    layer({ codexHome: { path: home, explicit: true }, useFlock: kind !== "sqlite" }),
  ),
);
