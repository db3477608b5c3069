import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import * as Fiber from "effect/Fiber";
import * as Option from "effect/Option";
import * as Redacted from "effect/Redacted";
import * as Stream from "effect/Stream";
import { describe, expect, it } from "vitest";
import { openAuthority, openHome, secret, withManager } from "./fixture.ts";

describe("AuthManager.changes", () => {
  it("reports each change once: reloaded, signed in, signed out", async () => {
    const home = await openHome();
    await home.write({ OPENAI_API_KEY: "sk-stored" });
    const changes = await withManager({ home }, (manager) =>
      Effect.gen(function* () {
        const listener = yield* Effect.forkChild(
          Stream.runCollect(Stream.take(manager.changes, 3)),
          { startImmediately: true },
        );
        yield* manager.current;
        yield* manager.loginWithApiKey(secret("sk-new"));
        yield* manager.logout;
        yield* manager.reload;
        yield* Effect.promise(() => home.write({ OPENAI_API_KEY: "sk-other" }));
        yield* manager.reload;
        return yield* Fiber.join(listener);
      }),
    );
    expect(changes.map((change) => Option.getOrNull(change)?._tag ?? null)).toEqual([
      "ApiKey",
      null,
      "ApiKey",
    ]);
  });
});

describe("AuthManager.reload", () => {
  it("never returns a state from before the call", async () => {
    const home = await openHome();
    await home.write({ OPENAI_API_KEY: "sk-0" });
    const keys = await withManager({ home }, (manager) =>
      Effect.forEach(["sk-1", "sk-2", "sk-3"], (key) =>
        Effect.gen(function* () {
          const early = yield* Effect.forkChild(manager.reload, { startImmediately: true });
          yield* Effect.promise(() => home.write({ OPENAI_API_KEY: key }));
          const reloaded = Option.getOrThrow(yield* manager.reload);
          yield* Fiber.join(early);
          return reloaded._tag === "ApiKey" && Redacted.value(reloaded.apiKey);
        }),
      ),
    );
    expect(keys).toEqual(["sk-1", "sk-2", "sk-3"]);
  });
});

describe("an agent identity JWT in a long-lived process", () => {
  it("is verified again when it no longer can be accepted, and is an error then", async () => {
    const home = await openHome();
    const authority = await openAuthority();
    const env = {
      CODEX_AGENT_IDENTITY: await authority.mintAgentIdentityJwt({ expiresInSeconds: 100 }),
    };
    const code = await withManager({ home, authority, env }, (manager) =>
      Effect.gen(function* () {
        yield* manager.current;
        const clock = yield* Clock.Clock;
        const ahead: Clock.Clock = Object.assign(Object.create(clock), {
          currentTimeMillisUnsafe: () => clock.currentTimeMillisUnsafe() + 200_000,
          currentTimeMillis: Effect.map(clock.currentTimeMillis, (nowMs) => nowMs + 200_000),
        });
        const error = yield* Effect.flip(
          Effect.provideService(manager.current, Clock.Clock, ahead),
        );
        return [error.code, Option.isNone(manager.snapshot())];
      }),
    );
    expect(code).toEqual(["AGENT_IDENTITY_JWT_EXPIRED", true]);
    expect(authority.count("registerTask")).toBe(1);
  });
});
