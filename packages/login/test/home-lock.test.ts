import { describe, expect, it } from "@effect/vitest";
import * as Deferred from "effect/Deferred";
import * as Effect from "effect/Effect";
import * as Exit from "effect/Exit";
import * as Fiber from "effect/Fiber";
import * as Redacted from "effect/Redacted";
import { spawnSync } from "node:child_process";
import {
  chownSync,
  existsSync,
  linkSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { layer as storeLayer } from "../src/credential-store-configured.ts";
import { CredentialStore } from "../src/credential-store.ts";
import type { CodexHome } from "../src/environment.ts";
import { HomeLock, type HomeLockOptions, layer } from "../src/home-lock.ts";
import { loadFlock } from "../src/home-lock/flock.ts";
import { temporaryFolder, temporaryHome } from "./support/home.ts";
import { program, start, type Started } from "./support/programs.ts";

const openLock = (options: HomeLockOptions): HomeLock["Service"] =>
  Effect.runSync(Effect.provide(HomeLock, layer(options)));

const said = (started: Started, word: string): Effect.Effect<void> =>
  Effect.callback((resume) => {
    let heard = "";
    started.child.stdout?.on("data", (chunk: Buffer) => {
      heard += chunk.toString();
      if (heard.includes(word)) resume(Effect.void);
    });
  });

const holder = (home: CodexHome, kind = "flock"): Started =>
  start(program("hold-lock", home.path, kind), { stdio: ["pipe", "pipe", "pipe"] });

/** Starts the lock and answers once it is certain that it has to wait. */
const waiting = <A, E>(effect: Effect.Effect<A, E>) =>
  Effect.gen(function* () {
    const fiber = yield* Effect.forkChild(effect);
    yield* Effect.sleep(60);
    expect(fiber.pollUnsafe()).toBeUndefined();
    return fiber;
  });

const linkedHome = (target: string): CodexHome => {
  const home = temporaryHome();
  symlinkSync(target, join(home.path, "auth.json"));
  return home;
};

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

  it.live("does not make folders wait for each other", () =>
    Effect.gen(function* () {
      const [one, other] = [temporaryHome(), temporaryHome()];
      const nested = openLock({ codexHome: other }).withLock(Effect.succeed("in"));
      expect(yield* openLock({ codexHome: one }).withLock(nested)).toBe("in");
    }),
  );

  it.live("lets an effect through that is inside already, but not one that outlived its turn", () =>
    Effect.gen(function* () {
      const lock = openLock({ codexHome: temporaryHome() });
      expect(yield* lock.withLock(lock.withLock(Effect.succeed("in")))).toBe("in");

      const gate = yield* Deferred.make<void>();
      const late = yield* lock.withLock(
        Effect.forkDetach(
          Effect.andThen(Deferred.await(gate), lock.withLock(Effect.succeed("late"))),
        ),
      );
      const order: Array<string> = [];
      yield* lock.withLock(
        Effect.gen(function* () {
          yield* Deferred.succeed(gate, undefined);
          yield* Effect.sleep(30);
          order.push("second turn over");
        }),
      );
      order.push(yield* Fiber.join(late));
      expect(order).toEqual(["second turn over", "late"]);
    }),
  );

  it.live("ends with the effect, whether that succeeds, fails, dies or is interrupted", () =>
    Effect.gen(function* () {
      const lock = openLock({ codexHome: temporaryHome() });
      const ends: ReadonlyArray<Effect.Effect<unknown, string>> = [
        Effect.succeed(1),
        Effect.fail("no"),
        Effect.die("oh"),
        Effect.interrupt,
      ];
      for (const end of ends) yield* Effect.exit(lock.withLock(end));
      expect(yield* lock.withLock(Effect.succeed("free"))).toBe("free");
    }),
  );

  it.live("makes the default folder private, and its lock files as Codex has them", () =>
    Effect.gen(function* () {
      const path = join(temporaryFolder(), "deep", ".codex");
      const lock = openLock({ codexHome: { path, explicit: false } });
      yield* lock.withLock(Effect.void);
      const modeOf = (name: string): number => statSync(join(path, name)).mode & 0o777;
      expect(modeOf("")).toBe(0o700);
      expect(modeOf("agent-auth.lock")).toBe(0o600);
      expect(statSync(join(path, "agent-auth.lock")).size).toBe(0);
      if ((yield* Effect.promise(loadFlock)) !== undefined)
        expect(modeOf("auth.lock")).toBe(0o666 & ~process.umask());
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

  it.live("goes through no link, and into no FIFO, that stands in a lock file's place", () =>
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

  it.live("refuses to run where the lock's own file is something else", () =>
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

  describe.each(["flock", "floor"])("between processes (%s)", (kind) => {
    const useFlock = kind === "flock";

    it.live("waits for the holder while the process goes on, and until it lets go", () =>
      Effect.gen(function* () {
        const home = temporaryHome();
        const other = holder(home, kind);
        yield* said(other, "held");
        const lock = openLock({ codexHome: home, useFlock });
        let ticks = 0;
        const ticker = setInterval(() => ticks++, 1);
        const fiber = yield* waiting(lock.withLock(Effect.succeed("in")));
        clearInterval(ticker);
        expect(ticks).toBeGreaterThan(10);
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
        expect(Exit.isFailure(yield* Fiber.await(fiber))).toBe(true);
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

  describe("of homes whose auth.json links to one file", () => {
    it.live.each(["flock", "floor"])("is one lock, also between processes (%s)", (kind) =>
      Effect.gen(function* () {
        const owner = temporaryHome();
        const target = join(owner.path, "auth.json");
        const homes = [
          owner,
          linkedHome(target),
          linkedHome(join(linkedHome(target).path, "auth.json")),
        ];
        for (const [index, home] of homes.entries()) {
          const other = holder(home, kind);
          yield* said(other, "held");
          const next = homes[(index + 1) % homes.length] ?? owner;
          const lock = openLock({ codexHome: next, useFlock: kind === "flock" });
          const fiber = yield* waiting(lock.withLock(Effect.succeed("in")));
          other.child.stdin?.end();
          expect(yield* Fiber.join(fiber)).toBe("in");
        }
      }),
    );

    it.live("is taken in one order, so that links across each other do not stand still", () =>
      Effect.gen(function* () {
        const homes = [temporaryHome(), temporaryHome()];
        const locks = homes.map((home, index) => {
          const other = homes[1 - index] ?? home;
          symlinkSync(join(other.path, `of-${index}.json`), join(home.path, "auth.json"));
          return openLock({ codexHome: home, maxWaitMs: 2_000 });
        });
        let [inside, most] = [0, 0];
        const turn = Effect.gen(function* () {
          most = Math.max(most, ++inside);
          yield* Effect.sleep(1);
          inside--;
        });
        const all = Array.from(
          { length: 40 },
          (_, index) => locks[index % 2]?.withLock(turn) ?? turn,
        );
        yield* Effect.all(all, { concurrency: "unbounded" });
        expect(most).toBe(1);
      }),
    );

    it.live("follows a link that changes while it waits", () =>
      Effect.gen(function* () {
        const home = temporaryHome();
        const shared = temporaryHome();
        const first = holder(home);
        const second = holder(shared);
        yield* Effect.all([said(first, "held"), said(second, "held")], { concurrency: 2 });
        const fiber = yield* waiting(openLock({ codexHome: home }).withLock(Effect.succeed("in")));
        symlinkSync(join(shared.path, "auth.json"), join(home.path, "auth.json"));
        first.child.stdin?.end();
        yield* Effect.promise(() => first.ended);
        yield* Effect.sleep(60);
        expect(fiber.pollUnsafe()).toBeUndefined();
        second.child.stdin?.end();
        expect(yield* Fiber.join(fiber)).toBe("in");
      }),
    );

    it.live("is the home's own where the link leads nowhere that can be written", () =>
      Effect.gen(function* () {
        const nowhere = join(temporaryFolder(), "missing", "auth.json");
        const loop = temporaryHome();
        symlinkSync("auth.json", join(loop.path, "auth.json"));
        for (const codexHome of [linkedHome(nowhere), loop]) {
          expect(yield* openLock({ codexHome }).withLock(Effect.succeed("in"))).toBe("in");
        }
      }),
    );
  });

  it.live("excludes programs that have no flock from those that do", () =>
    Effect.gen(function* () {
      const home = temporaryHome();
      const other = holder(home, "floor");
      yield* said(other, "held");
      const fiber = yield* waiting(openLock({ codexHome: home }).withLock(Effect.succeed("in")));
      other.child.stdin?.end();
      expect(yield* Fiber.join(fiber)).toBe("in");
    }),
  );

  it.live(
    "loses no count when 32 processes change one file 10 times each",
    () =>
      Effect.gen(function* () {
        const home = temporaryHome();
        const file = join(home.path, "count");
        writeFileSync(file, "0");
        const counters = Array.from({ length: 32 }, (_, index) =>
          start(
            program("count-under-lock", home.path, file, "10", index % 4 === 0 ? "floor" : "flock"),
          ),
        );
        const ended = yield* Effect.promise(() => Promise.all(counters.map((it) => it.ended)));
        expect(ended.map((it) => it.stderr)).toEqual(ended.map(() => ""));
        expect(readFileSync(file, "utf8")).toBe("320");
      }),
    60_000,
  );
});

/** A home of user 4242 in which root works, and a secret of root's elsewhere. */
const foreignHome = () => {
  const home = temporaryHome();
  chownSync(home.path, 4242, 4243);
  const secret = join(temporaryFolder(), "secret");
  writeFileSync(secret, "root's", { mode: 0o600 });
  return { home, secret, ownerOfSecret: () => statSync(secret).uid };
};

describe.skipIf(process.getuid?.() !== 0 || (await loadFlock()) === undefined)(
  "HomeLock of root in another user's folder",
  () => {
    it.live("gives away no file that stood in a lock file's place, linked or not", () =>
      Effect.gen(function* () {
        for (const name of ["auth.lock", "auth.json.lock"]) {
          const { home, ownerOfSecret, secret } = foreignHome();
          const save = Effect.flatMap(CredentialStore, (store) =>
            store.save({ openaiApiKey: Redacted.make("sk-1") }),
          ).pipe(Effect.provide(storeLayer({ mode: "file", codexHome: home })));
          symlinkSync(secret, join(home.path, name));
          expect(yield* Effect.flip(save)).toMatchObject({ reason: "it is a symbolic link" });
          rmSync(join(home.path, name));
          linkSync(secret, join(home.path, name));
          yield* save;
          expect(ownerOfSecret()).toBe(0);
        }
      }),
    );

    it.live("gives the lock files that it makes to that user, and lets SQLite near none", () =>
      Effect.gen(function* () {
        const { home } = foreignHome();
        const lock = openLock({ codexHome: home });
        yield* lock.withLock(Effect.void);
        expect(readdirSync(home.path)).toEqual(["auth.lock"]);
        expect(statSync(join(home.path, "auth.lock")).uid).toBe(4242);
        // A database that waits for its journal to be rolled back is never looked at.
        writeFileSync(join(home.path, "agent-auth.lock"), "x".repeat(4096));
        writeFileSync(join(home.path, "agent-auth.lock-journal"), "x".repeat(4096));
        expect(yield* lock.withLock(Effect.succeed("in"))).toBe("in");
        expect(readdirSync(home.path)).toContain("agent-auth.lock-journal");
      }),
    );

    it.live("refuses where flock cannot be had, since SQLite would be all there is", () =>
      Effect.gen(function* () {
        const { home } = foreignHome();
        const { status, stderr } = yield* Effect.promise(
          () => start(program("without-natives", home.path)).ended,
        );
        expect(status).toBe(1);
        expect(stderr).toContain("LOGIN_HOME_LOCK_FAILED");
        expect(readdirSync(home.path)).toEqual([]);
      }),
    );

    it.live("waits for other processes, and they for it", () =>
      Effect.gen(function* () {
        const { home } = foreignHome();
        const other = holder(home);
        yield* said(other, "held");
        const fiber = yield* waiting(openLock({ codexHome: home }).withLock(Effect.succeed("in")));
        other.child.stdin?.end();
        expect(yield* Fiber.join(fiber)).toBe("in");
      }),
    );
  },
);

const hasFlockTool = spawnSync("flock", ["--version"]).status === 0;
const hasFlock = (await loadFlock()) !== undefined;
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

    it.live("saves and removes only while nobody holds the lock beside the file", () =>
      Effect.gen(function* () {
        const home = temporaryHome();
        const target = join(temporaryFolder(), "elsewhere.json");
        symlinkSync(target, join(home.path, "auth.json"));
        const store = yield* Effect.provide(
          CredentialStore,
          storeLayer({ mode: "file", codexHome: home }),
        );
        for (const deed of [
          Effect.asVoid(store.save({ openaiApiKey: Redacted.make("sk-1") })),
          Effect.asVoid(store.remove),
        ]) {
          const other = hold(`${target}.lock`);
          yield* said(other, "held");
          const before = existsSync(target);
          const fiber = yield* waiting(deed);
          expect(existsSync(target)).toBe(before);
          other.child.stdin?.end();
          yield* Fiber.join(fiber);
          expect(existsSync(target)).toBe(!before);
        }
      }),
    );
  },
);
