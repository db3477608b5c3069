import { spawnSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  closeSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as Clock from "effect/Clock";
import * as Duration from "effect/Duration";
import * as Effect from "effect/Effect";
import { describe, expect, it, onTestFinished } from "vitest";
import { loadFlock } from "../../src/storage/lock/flock.ts";
import { holder, said } from "../support/home-lock.ts";
import { type Home, openSignIn, withManager } from "./fixture.ts";

// A refresh token can be used once. It is not sent if its successor could not be stored.

const isRoot = process.getuid?.() === 0;
const tryFlock = await loadFlock();

/** Runs an effect by a clock that is a hundred times as fast, so that a wait of a minute takes less than a second. */
const hurried = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
  Effect.clockWith((clock) => {
    const startedMs = clock.currentTimeMillisUnsafe();
    const nowMs = () => startedMs + (clock.currentTimeMillisUnsafe() - startedMs) * 100;
    const fast: Clock.Clock = Object.assign(Object.create(clock), {
      currentTimeMillisUnsafe: nowMs,
      currentTimeMillis: Effect.sync(nowMs),
      sleep: (duration: Duration.Duration) => clock.sleep(Duration.divideUnsafe(duration, 100)),
    });
    return Effect.provideService(effect, Clock.Clock, fast);
  });

interface Obstacle {
  readonly what: string;
  /** Why it cannot be tested here. */
  readonly skip?: string | undefined;
  readonly put: (home: Home) => Promise<void> | void;
  readonly code: string;
}

const hold = (path: string): void => {
  const fd = openSync(path, "w");
  tryFlock?.(fd);
  onTestFinished(() => closeSync(fd));
};

const holdHome = (kind: "flock" | "sqlite") => async (home: Home) => {
  const { child, ...other } = holder({ path: home.path, explicit: true }, kind);
  onTestFinished(() => void child.kill("SIGKILL"));
  await Effect.runPromise(said({ child, ...other }, "held"));
};

const addAttribute = (path: string): void => {
  spawnSync("chattr", ["+a", path]);
  onTestFinished(() => void spawnSync("chattr", ["-a", path]));
};

const noAttributes = (() => {
  const folder = mkdtempSync(join(tmpdir(), "login-manager-"));
  const isSet = spawnSync("chattr", ["+a", folder]).status === 0;
  spawnSync("chattr", ["-a", folder]);
  rmSync(folder, { recursive: true });
  return isSet ? undefined : "needs root and a file system with chattr +a";
})();
const noFlock = tryFlock === undefined ? "needs flock" : undefined;
const notRoot = isRoot ? undefined : "needs root, to work as two users";

const asAnotherUser = (uid: number): void => {
  process.seteuid?.(uid);
  onTestFinished(() => {
    process.seteuid?.(0);
  });
};

const obstacles: ReadonlyArray<Obstacle> = [
  {
    what: "auth.json.lock is held for longer than Codex waits for it",
    skip: noFlock,
    put: ({ authJson }) => hold(`${authJson}.lock`),
    code: "LOGIN_HOME_LOCK_BUSY",
  },
  {
    what: "auth.lock is held for a minute",
    skip: noFlock,
    put: holdHome("flock"),
    code: "LOGIN_HOME_LOCK_BUSY",
  },
  {
    what: "agent-auth.lock is held for a minute",
    put: holdHome("sqlite"),
    code: "LOGIN_HOME_LOCK_BUSY",
  },
  {
    what: "agent-auth.lock has content",
    put: ({ path }) => writeFileSync(join(path, "agent-auth.lock"), "1"),
    code: "LOGIN_HOME_LOCK_FAILED",
  },
  {
    what: "agent-auth.refresh.lock is a folder",
    put: ({ path }) => mkdirSync(join(path, "agent-auth.refresh.lock")),
    code: "LOGIN_HOME_LOCK_FAILED",
  },
  {
    what: "auth.json is read-only",
    put: ({ authJson }) => chmodSync(authJson, 0o400),
    code: "LOGIN_STORE_UNWRITABLE",
  },
  {
    what: "auth.json has a second name",
    put: ({ authJson }) => linkSync(authJson, `${authJson}.other`),
    code: "LOGIN_STORE_UNWRITABLE",
  },
  {
    what: "the folder is append-only",
    skip: noAttributes,
    put: ({ path }) => addAttribute(path),
    code: "LOGIN_STORE_UNWRITABLE",
  },
  {
    what: "auth.json is append-only",
    skip: noAttributes,
    put: ({ authJson }) => addAttribute(authJson),
    code: "LOGIN_STORE_UNWRITABLE",
  },
  {
    what: "the folder is sticky and auth.json belongs to another user",
    skip: notRoot,
    put: ({ authJson, path }) => {
      chownSync(path, 4242, 4242);
      chmodSync(path, 0o1777);
      chmodSync(authJson, 0o666);
      asAnotherUser(65_534);
    },
    code: "LOGIN_STORE_UNWRITABLE",
  },
  {
    what: "nothing can be created in the folder",
    skip: notRoot,
    put: ({ authJson, path }) => {
      chmodSync(path, 0o755);
      chmodSync(authJson, 0o666);
      asAnotherUser(65_534);
    },
    code: "LOGIN_HOME_LOCK_FAILED",
  },
];

describe("AuthManager sends no refresh token", () => {
  it.for(obstacles)("if $what", async ({ code, put, skip: reason }, { skip }) => {
    if (reason !== undefined) skip(reason);
    const { authority, home } = await openSignIn({ expiresInSeconds: -10 });
    const before = readFileSync(home.authJson, "utf8");
    await put(home);
    const setup = { home, authority, options: { loadAtStart: false } };
    const error = await withManager(setup, (manager) => hurried(Effect.flip(manager.current)));
    expect(error.code).toBe(code);
    expect(authority.count("refresh")).toBe(0);
    expect(readFileSync(home.authJson, "utf8")).toBe(before);
  });
});
