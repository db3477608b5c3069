// Adds one to the number in the file argv[3], argv[4] times, each time under the home lock of argv[2]: in a way that
// loses counts unless it is alone. argv[5] "sqlite" does not use flock.
import { readFile, writeFile } from "node:fs/promises";
import * as Effect from "effect/Effect";
import { HomeLock, layer } from "../../../src/storage/lock/index.ts";

const [home = "", file = "", times = "", kind = ""] = process.argv.slice(2);

const count = Effect.promise(async () => {
  const number = Number(await readFile(file, "utf8"));
  await writeFile(file, String(number + 1));
});

const codexHome = { path: home, explicit: true };
await Effect.runPromise(
  Effect.provide(
    Effect.flatMap(HomeLock, (lock) =>
      Effect.repeat(lock.withLock(count), { times: Number(times) - 1 }),
    ),
    layer({ codexHome, useFlock: kind !== "sqlite" }),
  ),
);
