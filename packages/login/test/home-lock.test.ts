import { describe, expect, it } from "@effect/vitest";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import { spawnSync } from "node:child_process";
import { existsSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { HomeLock } from "../src/storage/lock/index.ts";
import { loadFlock } from "../src/storage/lock/flock.ts";
import { temporaryFolder, temporaryHome } from "./support/home.ts";
import { openLock } from "./support/home-lock.ts";
import { homeLockContract } from "./support/home-lock.contract.ts";

homeLockContract("on disk", () => openLock({ codexHome: temporaryHome() }));
homeLockContract("on disk, without flock", () =>
  openLock({ codexHome: temporaryHome(), useFlock: false }),
);
homeLockContract("in memory", () =>
  Effect.runSync(Effect.provide(HomeLock, Layer.fresh(HomeLock.layerMemory))),
);

describe("HomeLock.withLock", () => {
  it.live(
    "lets one task of many in at a time, over layers and links that name the same folder",
    () =>
      Effect.gen(function* () {
        const home = temporaryHome();
        const link = join(temporaryFolder(), "link");
        symlinkSync(home.path, link);
        const locks = [
          openLock({ codexHome: home }),
          openLock({ codexHome: home }),
          openLock({ codexHome: { path: link, explicit: true } }),
        ];
        let [inside, most, turns] = [0, 0, 0];
        const turn = Effect.gen(function* () {
          most = Math.max(most, ++inside);
          yield* Effect.yieldNow;
          inside--;
          turns++;
        });
        const all = Array.from(
          { length: 300 },
          (_, index) => locks[index % 3]?.withLock(turn) ?? turn,
        );
        yield* Effect.all(all, { concurrency: "unbounded" });
        expect({ most, turns }).toEqual({ most: 1, turns: 300 });
      }),
  );

  it.live("creates the default folder and its lock files for their owner only", () =>
    Effect.gen(function* () {
      const path = join(temporaryFolder(), "deep", ".codex");
      const lock = openLock({ codexHome: { path, explicit: false } });
      yield* lock.withLock(Effect.void);
      const modeOf = (name: string): number => statSync(join(path, name)).mode & 0o777;
      expect(modeOf("")).toBe(0o700);
      expect(modeOf("agent-auth.lock")).toBe(0o600);
      expect(statSync(join(path, "agent-auth.lock")).size).toBe(0);
      if ((yield* Effect.promise(loadFlock)) !== undefined) expect(modeOf("auth.lock")).toBe(0o600);
      expect(existsSync(join(path, "agent-auth.lock-journal"))).toBe(false);
    }),
  );

  it.live("refuses a CODEX_HOME that does not exist, and does not make it", () =>
    Effect.gen(function* () {
      const path = join(temporaryFolder(), "missing");
      const lock = openLock({ codexHome: { path, explicit: true } });
      const error = yield* Effect.flip(lock.withLock(Effect.void));
      expect(error.code).toBe("LOGIN_CODEX_HOME_UNUSABLE");
      expect(existsSync(path)).toBe(false);
    }),
  );

  it.live("does not follow a link or open a FIFO in place of a lock file", () =>
    Effect.gen(function* () {
      const hasFlock = (yield* Effect.promise(loadFlock)) !== undefined;
      for (const name of hasFlock ? ["agent-auth.lock", "auth.lock"] : ["agent-auth.lock"]) {
        const home = temporaryHome();
        const lock = openLock({ codexHome: home });
        const missing = join(temporaryFolder(), "missing");
        symlinkSync(missing, join(home.path, name));
        expect(yield* Effect.flip(lock.withLock(Effect.void))).toMatchObject({
          code: "LOGIN_HOME_LOCK_FAILED",
          path: join(home.path, name),
          reason: "it is a symbolic link",
        });
        expect(existsSync(missing)).toBe(false);
        rmSync(join(home.path, name));
        spawnSync("mkfifo", [join(home.path, name)]);
        const error = yield* Effect.flip(lock.withLock(Effect.void));
        expect(error.code).toBe("LOGIN_HOME_LOCK_FAILED");
      }
    }),
  );

  it.live("refuses to run if something else is in place of the lock file", () =>
    Effect.gen(function* () {
      const home = temporaryHome();
      writeFileSync(join(home.path, "agent-auth.lock"), "no database".repeat(200));
      let hasRun = false;
      const run = Effect.sync(() => (hasRun = true));
      const error = yield* Effect.flip(openLock({ codexHome: home }).withLock(run));
      expect(error.code).toBe("LOGIN_HOME_LOCK_FAILED");
      expect(hasRun).toBe(false);
    }),
  );
});
