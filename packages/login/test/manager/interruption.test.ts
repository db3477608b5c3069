import { readFile } from "node:fs/promises";
import * as Effect from "effect/Effect";
import * as Exit from "effect/Exit";
import * as Fiber from "effect/Fiber";
import { describe, expect, it } from "vitest";
import type { LoginError } from "../../src/errors/index.ts";
import { holder, said, waiting } from "../support/home-lock.ts";
import {
  chatgptDocument,
  openAuthority,
  openHome,
  secret,
  withManager,
  type Manager,
} from "./fixture.ts";

type Operation = (manager: Manager) => Effect.Effect<unknown, LoginError>;

const operations: Record<string, Operation> = {
  loginWithApiKey: (manager) => manager.loginWithApiKey(secret("sk-new")),
  logout: (manager) => manager.logout,
  refresh: (manager) => manager.refresh("forced"),
};

/** Starts the operation while another process holds the home lock, interrupts it, and says what that left behind. */
const interruptWhileWaiting = async (operation: Operation) => {
  const home = await openHome();
  const authority = await openAuthority();
  await home.write(await chatgptDocument(authority));
  const before = await readFile(home.authJson, "utf8");
  const other = holder({ path: home.path, explicit: true });
  await Effect.runPromise(said(other, "held"));

  const outcome = await withManager({ home, authority }, (manager) =>
    Effect.gen(function* () {
      const fiber = yield* waiting(operation(manager));
      const ended = yield* Effect.timeoutOption(Fiber.interrupt(fiber), 5_000);
      if (ended._tag === "None") other.child.kill("SIGKILL"); // or the manager would not close
      return {
        hasEnded: ended._tag === "Some",
        isFailure: Exit.isFailure(yield* Fiber.await(fiber)),
      };
    }),
  );
  other.child.stdin?.end();
  await other.ended;
  const spent = authority.count("refresh") + authority.count("revoke");
  return { ...outcome, spent, isSame: (await readFile(home.authJson, "utf8")) === before };
};

describe("An operation that waits for the home lock", () => {
  it.each(Object.keys(operations))(
    "can be interrupted and has changed nothing: %s",
    async (name) => {
      const operation = operations[name] ?? (() => Effect.die("no such operation"));
      expect(await interruptWhileWaiting(operation)).toEqual({
        hasEnded: true,
        isFailure: true,
        spent: 0,
        isSame: true,
      });
    },
  );
});
