import { describe, expect, it } from "@effect/vitest";
import * as Effect from "effect/Effect";
import * as Exit from "effect/Exit";
import * as Fiber from "effect/Fiber";
import * as Redacted from "effect/Redacted";
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { proofSize } from "@agent-auth/tools/proof";
import { layer as storeLayer } from "../src/storage/configured.ts";
import { CredentialStore } from "../src/storage/index.ts";
import { loadFileLock } from "../src/storage/lock/flock.ts";
import { bundleProgram } from "./support/bundle-program.ts";
import { temporaryFolder, temporaryHome } from "./support/home.ts";
import { holder, openLock, said, startHeard, waiting } from "./support/home-lock.ts";
import { start, type Started } from "./support/start-program.ts";
import { locked } from "./support/lock.ts";

const counterCount = proofSize({ test: 4, proof: 12 });

describe("HomeLock.withLock", () => {
  describe.each(["flock", "sqlite"])("between processes (%s)", (kind) => {
    const useFlock = kind === "flock";

    it.live("waits until the holder releases it, without blocking the process", () =>
      Effect.gen(function* () {
        const home = temporaryHome();
        const other = holder(home, kind);
        yield* said(other, "held");
        const lock = openLock({ codexHome: home, useFlock });
        const { fiber, pauses } = yield* startHeard(lock.withLock(Effect.succeed("in")));
        yield* pauses;
        yield* Effect.promise(() => new Promise(setImmediate)); // a process that is blocked has no turns
        yield* pauses;
        other.child.stdin?.end();
        expect(yield* Fiber.join(fiber)).toBe("in");
      }),
    );

    it.live("is free at once when its holder is killed", () =>
      Effect.gen(function* () {
        const home = temporaryHome();
        const other = holder(home, kind);
        yield* said(other, "held");
        const lock = openLock({ codexHome: home, useFlock });
        const fiber = yield* waiting(lock.withLock(Effect.succeed("in")));
        const killedMs = performance.now();
        other.child.kill("SIGKILL");
        expect(yield* Fiber.join(fiber)).toBe("in");
        expect(performance.now() - killedMs).toBeLessThan(10_000);
      }),
    );

    it.live("can be interrupted while it waits, and leaves nothing locked", () =>
      Effect.gen(function* () {
        const home = temporaryHome();
        const other = holder(home, kind);
        yield* said(other, "held");
        const lock = openLock({ codexHome: home, useFlock });
        const fiber = yield* waiting(lock.withLock(Effect.void));
        yield* Fiber.interrupt(fiber);
        expect(Exit.hasInterrupts(yield* Fiber.await(fiber))).toBe(true);
        other.child.stdin?.end();
        yield* Effect.promise(() => other.ended);
        expect(yield* lock.withLock(Effect.succeed("in"))).toBe("in");
      }),
    );

    it.live("gives up after maxWaitMs with an error that names the lock", () =>
      Effect.gen(function* () {
        const home = temporaryHome();
        const other = holder(home, kind);
        yield* said(other, "held");
        const lock = openLock({ codexHome: home, useFlock, maxWaitMs: 50 });
        const error = yield* Effect.flip(lock.withLock(Effect.void));
        if (error._tag !== "HomeLockBusy") throw error;
        expect(error.path.startsWith(home.path)).toBe(true);
        expect(error.waitedMs).toBeGreaterThanOrEqual(50);
      }),
    );
  });

  it.live("excludes programs that have no flock from those that do", () =>
    Effect.gen(function* () {
      const home = temporaryHome();
      const other = holder(home, "sqlite");
      yield* said(other, "held");
      const fiber = yield* waiting(openLock({ codexHome: home }).withLock(Effect.succeed("in")));
      other.child.stdin?.end();
      expect(yield* Fiber.join(fiber)).toBe("in");
    }),
  );

  it.live(
    `loses no count when ${counterCount} processes change one file 10 times each`,
    () =>
      Effect.gen(function* () {
        const counter = join(import.meta.dirname, "support/programs/count-under-lock.ts");
        const { command, env } = yield* Effect.promise(() => bundleProgram(counter));
        const home = temporaryHome();
        const file = join(home.path, "count");
        writeFileSync(file, "0");
        const counters = Array.from({ length: counterCount }, (_, index) => {
          const kind = index % 4 === 0 ? "sqlite" : "flock";
          return start([...command, home.path, file, "10", kind], {
            env: { ...process.env, ...env },
          });
        });
        const ended = yield* Effect.promise(() => Promise.all(counters.map((it) => it.ended)));
        expect(ended.map((it) => it.stderr)).toEqual(ended.map(() => ""));
        expect(readFileSync(file, "utf8")).toBe(String(counterCount * 10));
      }),
    180_000, // each process takes seconds to start on a busy machine
  );
});

const hasFlockTool = spawnSync("flock", ["--version"]).status === 0;
const hasFlock = (await loadFileLock()) !== undefined;
if (!hasFlockTool) console.warn("skipped: flock(1) of util-linux is not installed");
if (!hasFlock) console.warn("skipped: koffi has no binary for this platform");

const hold = (path: string): Started =>
  start(["flock", path, "sh", "-c", "echo held; exec cat"], {
    stdio: ["pipe", "pipe", "pipe"],
  });

const isFree = (path: string): boolean => spawnSync("flock", ["-n", path, "true"]).status === 0;

describe.skipIf(!hasFlockTool || !hasFlock)(
  "HomeLock and flock(1), which locks as Codex does",
  () => {
    it.live("keeps flock(1) out of auth.lock while it is held", () =>
      Effect.gen(function* () {
        const home = temporaryHome();
        const path = join(home.path, "auth.lock");
        const lock = openLock({ codexHome: home });
        expect(yield* lock.withLock(Effect.sync(() => isFree(path)))).toBe(false);
        expect(isFree(path)).toBe(true);
      }),
    );

    it.live("waits for a flock(1) that holds auth.lock", () =>
      Effect.gen(function* () {
        const home = temporaryHome();
        const other = hold(join(home.path, "auth.lock"));
        yield* said(other, "held");
        const fiber = yield* waiting(openLock({ codexHome: home }).withLock(Effect.succeed("in")));
        other.child.stdin?.end();
        expect(yield* Fiber.join(fiber)).toBe("in");
      }),
    );

    it.live("saves and removes only while no program holds the lock beside the file", () =>
      Effect.gen(function* () {
        const home = temporaryHome();
        const target = join(temporaryFolder(), "elsewhere.json");
        symlinkSync(target, join(home.path, "auth.json"));
        const save = CredentialStore.use((store) =>
          Effect.asVoid(store.save({ openaiApiKey: Redacted.make("sk-1") })),
        );
        const remove = CredentialStore.use((store) => Effect.asVoid(store.remove()));
        for (const change of [save, remove]) {
          const operation = Effect.provide(
            locked(change),
            storeLayer({ mode: "file", codexHome: home }),
          );
          const other = hold(`${target}.lock`);
          yield* said(other, "held");
          const before = existsSync(target);
          const fiber = yield* waiting(operation);
          expect(existsSync(target)).toBe(before);
          other.child.stdin?.end();
          yield* Fiber.join(fiber);
          expect(existsSync(target)).toBe(!before);
        }
      }),
    );
  },
);
