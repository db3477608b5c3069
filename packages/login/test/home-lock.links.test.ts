import { describe, expect, it } from "@effect/vitest";
import * as Effect from "effect/Effect";
import * as Fiber from "effect/Fiber";
import { symlinkSync } from "node:fs";
import { join } from "node:path";
import type { CodexHome } from "../src/config/environment.ts";
import { temporaryFolder, temporaryHome } from "./support/home.ts";
import { holder, openLock, said, startHeard, waiting } from "./support/home-lock.ts";

const linkedHome = (target: string): CodexHome => {
  const home = temporaryHome();
  symlinkSync(target, join(home.path, "auth.json"));
  return home;
};

describe("HomeLock.withLock", () => {
  describe("of homes whose auth.json links to one file", () => {
    it.live.each(["flock", "sqlite"])("is one lock, also between processes (%s)", (kind) =>
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

    it.live("is taken in one order, so that links to each other do not deadlock", () =>
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
          yield* Effect.promise(() => new Promise(setImmediate)); // the others get their chance
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
        const { fiber, pauses } = yield* startHeard(
          openLock({ codexHome: home }).withLock(Effect.succeed("in")),
        );
        yield* pauses;
        symlinkSync(join(shared.path, "auth.json"), join(home.path, "auth.json"));
        first.child.stdin?.end();
        yield* Effect.promise(() => first.ended);
        yield* pauses; // no longer for the first
        second.child.stdin?.end();
        expect(yield* Fiber.join(fiber)).toBe("in");
      }),
    );

    it.live("is the home's own if the link leads nowhere that can be written", () =>
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
});
