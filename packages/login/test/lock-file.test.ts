import { describe, expect, it } from "@effect/vitest";
import * as Deferred from "effect/Deferred";
import * as Effect from "effect/Effect";
import * as Fiber from "effect/Fiber";
import { spawnSync } from "node:child_process";
import { chmodSync, chownSync, mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { quoteForShell } from "../src/errors/place.ts";
import { HomeLock, layer } from "../src/storage/lock/index.ts";
import { loadFileLock } from "../src/storage/lock/flock.ts";
import { temporaryFolder, temporaryHome } from "./support/home.ts";
import { holder, openLock, said } from "./support/home-lock.ts";
import { program, start } from "./support/start-program.ts";

const isRoot = process.getuid?.() === 0;
const hasFlock = (await loadFileLock()) !== undefined;

/** An unprivileged user, for tests that root runs. */
const NOBODY = 65_534;

describe("a lock file that cannot be used", () => {
  it.live.each([
    [
      "has content",
      "agent-auth.lock",
      (path: string) => writeFileSync(path, "1"),
      "it is not empty, so it is not a lock file of agent-auth",
      "rm",
    ],
    [
      "is a folder",
      "agent-auth.lock",
      (path: string) => mkdirSync(path),
      "it is a folder",
      "rmdir",
    ],
    ["is a folder", "auth.lock", (path: string) => mkdirSync(path), "it is a folder", "rmdir"],
  ] as const)(
    "that %s, %s, is an error with the file and the command",
    ([, name, spoil, reason, command], { skip }) =>
      Effect.gen(function* () {
        if (name === "auth.lock" && !hasFlock) skip("needs flock");
        const home = temporaryHome();
        const path = join(home.path, name);
        spoil(path);
        const lock = openLock({ codexHome: home });
        for (const operation of [lock.withLock(Effect.void), Effect.asVoid(lock.tryLock)])
          expect(yield* Effect.flip(operation)).toMatchObject({
            code: "LOGIN_HOME_LOCK_FAILED",
            message: `cannot lock ${path}: ${reason}`,
            hint: `Run: ${command} ${quoteForShell(path)}`,
          });
      }),
  );

  it.live.each([
    ["of mode 000", NOBODY, "its mode is 000", "chmod 600"],
    ["of another user", 4242, "it belongs to another user (uid 4242)", `sudo chown ${NOBODY}`],
  ] as const)(
    "%s is an error with the file and the command",
    ([, owner, reason, command], { skip }) =>
      Effect.gen(function* () {
        if (!isRoot) skip("needs root, to work as two users");
        for (const name of hasFlock ? ["agent-auth.lock", "auth.lock"] : ["agent-auth.lock"]) {
          const home = temporaryHome();
          const path = join(home.path, name);
          writeFileSync(path, "", { mode: 0o000 });
          chmodSync(path, owner === NOBODY ? 0o000 : 0o600);
          chownSync(path, owner, owner);
          chownSync(home.path, NOBODY, NOBODY);
          const { stdout } = yield* Effect.promise(
            () =>
              start(program("use-file-store", home.path, "save:sk-1"), {
                uid: NOBODY,
                gid: NOBODY,
              }).ended,
          );
          expect(JSON.parse(stdout)).toEqual([
            {
              code: "LOGIN_HOME_LOCK_FAILED",
              message: `cannot lock ${path}: ${reason}`,
              hint: `Run: ${command} ${quoteForShell(path)}`,
            },
          ]);
        }
      }),
  );
});

describe("a file system without locks", () => {
  it.live("is distinguished from a held lock at once", ({ skip }) =>
    Effect.gen(function* () {
      const library = join(temporaryFolder(), "no-locks.so");
      const source = `${library}.c`;
      writeFileSync(
        source,
        `#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
static int call(const char *name, int fd, int command, void *argument) {
  if (command == F_SETLK || command == F_SETLKW) { errno = ENOLCK; return -1; }
  int (*real)(int, int, ...) = (int (*)(int, int, ...)) dlsym(RTLD_NEXT, name);
  return real(fd, command, argument);
}
#define WRAP(name) int name(int fd, int command, ...) { va_list list; va_start(list, command); \\
  void *argument = va_arg(list, void *); va_end(list); return call(#name, fd, command, argument); }
WRAP(fcntl)
WRAP(fcntl64)
`,
      );
      const compiled = spawnSync("gcc", ["-shared", "-fPIC", "-o", library, source, "-ldl"]);
      if (process.platform !== "linux" || compiled.status !== 0) skip("needs gcc on Linux");
      const home = temporaryHome();
      const { status, stderr } = yield* Effect.promise(
        () =>
          start(program("hold-lock", home.path), {
            env: { PATH: process.env["PATH"], LD_PRELOAD: library },
          }).ended,
      );
      expect(status).not.toBe(0);
      expect(stderr).toContain("the file system does not support file locks");
      expect(stderr).toContain("LOGIN_HOME_LOCK_FAILED");
      expect(readdirSync(home.path)).toEqual(["agent-auth.lock"]);
    }),
  );
});

describe.skipIf(!hasFlock)("auth.lock", () => {
  it.live("is created for its owner only, and narrowed if it was wider", () =>
    Effect.gen(function* () {
      const [fresh, wide] = [temporaryHome(), temporaryHome()];
      writeFileSync(join(wide.path, "auth.lock"), "", { mode: 0o644 });
      for (const home of [fresh, wide]) {
        yield* openLock({ codexHome: home }).withLock(Effect.void);
        expect(statSync(join(home.path, "auth.lock")).mode & 0o777).toBe(0o600);
      }
    }),
  );

  it.live("keeps its mode if it is another user's", ({ skip }) =>
    Effect.gen(function* () {
      if (!isRoot) skip("needs root, to work as two users");
      const home = temporaryHome();
      const path = join(home.path, "auth.lock");
      writeFileSync(path, "", { mode: 0o644 });
      chownSync(path, 4242, 4242);
      yield* openLock({ codexHome: home }).withLock(Effect.void);
      expect(statSync(path).mode & 0o777).toBe(0o644);
    }),
  );
});

describe("HomeLock.withLockIfAvailable", () => {
  it.live("runs the effect without the lock after the wait, and says which file is held", () =>
    Effect.gen(function* () {
      const home = temporaryHome();
      const other = holder(home);
      yield* said(other, "held");
      const told: Array<string> = [];
      const ran = yield* openLock({ codexHome: home }).withLockIfAvailable(Effect.succeed("ran"), {
        maxWaitMs: 20,
        onUnavailable: (error) => Effect.sync(() => void told.push(error.path)),
      });
      expect([ran, told]).toEqual(["ran", [join(home.path, "agent-auth.lock")]]);
    }),
  );

  it.live("creates no home folder", () =>
    Effect.gen(function* () {
      const path = join(temporaryFolder(), ".codex");
      const lock = openLock({ codexHome: { path, explicit: false } });
      yield* lock.withLockIfAvailable(Effect.void, { onUnavailable: Effect.die });
      expect(statSync(path, { throwIfNoEntry: false })).toBeUndefined();
    }),
  );
});

describe("HomeLock.tryLock", () => {
  it.live("names the file that another process holds", () =>
    Effect.gen(function* () {
      const home = temporaryHome();
      const lock = openLock({ codexHome: home });
      expect(yield* lock.tryLock).toEqual({ _tag: "Free", excludesCodex: hasFlock });
      const other = holder(home, "sqlite");
      yield* said(other, "held");
      expect(yield* lock.tryLock).toEqual({
        _tag: "Held",
        path: join(home.path, "agent-auth.lock"),
      });
    }),
  );
});

describe("two layers of one process over one home", () => {
  it.live.each([true, false])(
    "exclude each other by the lock files alone (flock: %s)",
    (useFlock) =>
      Effect.gen(function* () {
        const home = temporaryHome();
        const open = () =>
          Effect.provide(HomeLock, layer({ codexHome: home, useFlock, maxWaitMs: 30 }));
        const [first, second] = [yield* open(), yield* open()];
        const isHeld = yield* Deferred.make<void>();
        const mayEnd = yield* Deferred.make<void>();
        const holding = yield* Effect.forkChild(
          first.withLock(
            Effect.andThen(Deferred.succeed(isHeld, undefined), Deferred.await(mayEnd)),
          ),
        );
        yield* Deferred.await(isHeld);
        expect((yield* Effect.flip(second.withLock(Effect.void)))._tag).toBe("HomeLockBusy");
        yield* Deferred.succeed(mayEnd, undefined);
        yield* Fiber.join(holding);
        expect(yield* second.withLock(Effect.succeed("in"))).toBe("in");
      }),
  );
});
