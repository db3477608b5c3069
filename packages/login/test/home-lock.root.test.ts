import { describe, expect, it } from "@effect/vitest";
import * as Effect from "effect/Effect";
import * as Fiber from "effect/Fiber";
import * as Redacted from "effect/Redacted";
import {
  chownSync,
  linkSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { layer as storeLayer } from "../src/storage/configured.ts";
import { CredentialStore } from "../src/storage/index.ts";
import { loadFlock } from "../src/storage/lock/flock.ts";
import { temporaryFolder, temporaryHome } from "./support/home.ts";
import { locked } from "./support/lock.ts";
import { holder, openLock, said, waiting } from "./support/home-lock.ts";
import { program, start } from "./support/start-program.ts";

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
    it.live("does not change the owner of a file or link in the place of a lock file", () =>
      Effect.gen(function* () {
        for (const name of ["auth.lock", "auth.json.lock"]) {
          const { home, ownerOfSecret, secret } = foreignHome();
          const save = locked(
            CredentialStore.use((store) => store.save({ openaiApiKey: Redacted.make("sk-1") })),
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

    it.live("gives the lock files that it creates to that user, and opens none with SQLite", () =>
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

    it.live("fails if flock is not available, since SQLite is not safe there", () =>
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
