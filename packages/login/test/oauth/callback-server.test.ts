import { createServer, request as httpRequest } from "node:http";
import { assert, describe, it, vi } from "@effect/vitest";
import { signInWithBrowser } from "../../src/oauth/browser.ts";
import * as Deferred from "effect/Deferred";
import * as Effect from "effect/Effect";
import * as Exit from "effect/Exit";
import * as Fiber from "effect/Fiber";
import * as TestClock from "effect/testing/TestClock";
import { memoryAuthority, visit } from "./support/memory-authority.ts";
import { approved, failureOf, isListening, start } from "./support/running-sign-in.ts";

describe("signInWithBrowser, the callback server", () => {
  it.effect("rejects callbacks with another state and keeps waiting for its own", () =>
    Effect.gen(function* () {
      const fake = memoryAuthority();
      let refused = 0;
      const { signIn, redirectUri, state, comeBack } = yield* start(fake, {
        onRejectedCallback: () => {
          refused += 1;
        },
      });
      for (const query of [
        "code=x",
        "code=x&state=",
        `code=x&state=${state}x`,
        `code=x&state=${state}&state=${state}`,
        "error=access_denied&state=wrong",
      ]) {
        const page = yield* visit(`${redirectUri}?${query}`);
        assert.strictEqual(page.status, 400);
        assert.include(page.html, "State mismatch");
      }
      assert.strictEqual(refused, 5);
      assert.deepStrictEqual(fake.received, []);
      yield* comeBack;
      yield* Fiber.join(signIn);
    }).pipe(Effect.scoped),
  );

  it.effect("closes at the timeout, and fails with SignInTimedOut", () =>
    Effect.gen(function* () {
      const fake = memoryAuthority();
      const { signIn, origin } = yield* start(fake);
      yield* TestClock.adjust("14 minutes");
      assert.isTrue(yield* isListening(origin));
      yield* TestClock.adjust("1 minute");
      const error = yield* failureOf(signIn);
      assert.strictEqual(error.code, "LOGIN_SIGN_IN_TIMED_OUT");
      assert.strictEqual(error.message, "the sign-in was not completed within 15 minutes");
      assert.isFalse(yield* isListening(origin));
    }).pipe(Effect.scoped),
  );

  it.effect(
    "fails with SignInStateMismatch at the timeout if all callbacks had another state",
    () =>
      Effect.gen(function* () {
        const fake = memoryAuthority();
        const { signIn, redirectUri } = yield* start(fake, { timeoutMs: 1000 });
        yield* visit(`${redirectUri}?code=x&state=y`);
        yield* TestClock.adjust("1 second");
        assert.deepInclude(yield* failureOf(signIn), {
          code: "LOGIN_SIGN_IN_STATE_MISMATCH",
          rejectedCallbacks: 1,
        });
      }).pipe(Effect.scoped),
  );

  it.effect("frees its port when it is interrupted", () =>
    Effect.gen(function* () {
      const fake = memoryAuthority();
      const { signIn, origin } = yield* start(fake);
      yield* Fiber.interrupt(signIn);
      assert.isFalse(yield* isListening(origin));
    }).pipe(Effect.scoped),
  );

  it.effect("answers a waiting browser when it is interrupted during the code exchange", () =>
    Effect.gen(function* () {
      const fake = memoryAuthority();
      fake.answers["code"] = ["never"];
      const { signIn, answer } = yield* start(fake);
      const waiting = yield* Effect.forkChild(visit(answer(approved)));
      yield* Effect.promise(() => vi.waitUntil(() => fake.received.length > 0));
      yield* Fiber.interrupt(signIn);
      assert.include((yield* Fiber.join(waiting)).html, "Sign-in cancelled");
    }),
  );

  it.effect(
    "completes a save during which it is interrupted, and tells the browser that it succeeded",
    () =>
      Effect.gen(function* () {
        const fake = memoryAuthority();
        const saving = yield* Deferred.make<void>();
        const saved = yield* Deferred.make<void>();
        const { signIn, answer } = yield* start(fake, {
          save: () => Effect.andThen(Deferred.succeed(saving, undefined), Deferred.await(saved)),
        });
        const waiting = yield* Effect.forkChild(visit(answer(approved)));
        yield* Deferred.await(saving);
        const interrupting = yield* Effect.forkChild(Fiber.interrupt(signIn));
        yield* Effect.yieldNow;
        yield* Deferred.succeed(saved, undefined);
        assert.strictEqual((yield* Fiber.join(waiting)).location, "/success");
        yield* Fiber.join(interrupting);
      }),
  );

  it.effect("is cancelled by a request to /cancel, but not by a page of another site", () =>
    Effect.gen(function* () {
      const fake = memoryAuthority();
      const { signIn, origin } = yield* start(fake);
      for (const headers of [
        { "sec-fetch-site": "cross-site" },
        { "sec-fetch-site": "same-site" },
        { origin: "https://evil.example" },
      ]) {
        const refused = yield* visit(`${origin}/cancel`, headers);
        assert.strictEqual(refused.status, 403);
      }
      const page = yield* visit(`${origin}/cancel`);
      assert.strictEqual(page.status, 200);
      assert.include(page.html, "Sign-in cancelled");
      assert.strictEqual((yield* failureOf(signIn)).code, "LOGIN_SIGN_IN_CANCELLED");
    }).pipe(Effect.scoped),
  );

  it.effect("cannot be cancelled while it saves", () =>
    Effect.gen(function* () {
      const fake = memoryAuthority();
      const saving = yield* Deferred.make<void>();
      const saved = yield* Deferred.make<void>();
      const { signIn, answer, origin } = yield* start(fake, {
        save: () => Effect.andThen(Deferred.succeed(saving, undefined), Deferred.await(saved)),
      });
      const waiting = yield* Effect.forkChild(visit(answer(approved)));
      yield* Deferred.await(saving);
      assert.strictEqual((yield* visit(`${origin}/cancel`)).status, 409);
      yield* Deferred.succeed(saved, undefined);
      assert.strictEqual((yield* Fiber.join(waiting)).location, "/success");
      yield* visit(`${origin}/success`);
      assert.isTrue(Exit.isSuccess(yield* Fiber.await(signIn)));
    }).pipe(Effect.scoped),
  );

  it.effect(
    "answers only GET requests to its own address, and shows /success only after success",
    () =>
      Effect.gen(function* () {
        const fake = memoryAuthority();
        const { signIn, origin, answer, state } = yield* start(fake);
        const port = Number(new URL(origin).port);
        const raw = (options: { host: string; method?: string; path?: string }) =>
          Effect.promise(
            () =>
              new Promise<number | undefined>((resolve, reject) => {
                const {
                  host,
                  method = "GET",
                  path = `/auth/callback?code=x&state=${state}`,
                } = options;
                const sent = httpRequest({
                  port,
                  host: "127.0.0.1",
                  method,
                  path,
                  headers: { host },
                });
                sent.on("response", (response) => {
                  response.resume();
                  resolve(response.statusCode);
                });
                sent.on("error", reject).end();
              }),
          );
        assert.strictEqual(yield* raw({ host: `evil.example:${port}` }), 403);
        assert.strictEqual(yield* raw({ host: "127.0.0.1" }), 403);
        assert.strictEqual(yield* raw({ host: `127.0.0.1:${port}`, method: "POST" }), 405);
        assert.strictEqual(yield* raw({ host: `127.0.0.1:${port}`, method: "HEAD" }), 405);
        assert.strictEqual(yield* raw({ host: `LOCALHOST:${port}`, path: "/success" }), 404);
        assert.strictEqual(yield* raw({ host: `127.0.0.1:${port}`, path: "//evil.example/" }), 404);
        assert.strictEqual(
          yield* raw({ host: `127.0.0.1:${port}`, path: "http://x/success" }),
          404,
        );
        assert.strictEqual(yield* raw({ host: `127.0.0.1:${port}`, path: "/favicon.ico" }), 204);
        assert.strictEqual((yield* visit(answer(approved))).location, "/success");
        yield* Fiber.interrupt(signIn);
      }).pipe(Effect.scoped),
  );

  it.effect("sends pages that cannot load anything, be framed or be cached", () =>
    Effect.gen(function* () {
      const fake = memoryAuthority();
      const { signIn, origin } = yield* start(fake);
      const { headers, html } = yield* visit(`${origin}/`);
      const policy = headers.get("content-security-policy") ?? "";
      assert.match(policy, /^default-src 'none'; style-src 'sha256-[\w+/]{43}='; base-uri 'none'/);
      assert.include(policy, "frame-ancestors 'none'");
      assert.strictEqual(headers.get("cache-control"), "no-store");
      assert.strictEqual(headers.get("referrer-policy"), "no-referrer");
      assert.strictEqual(headers.get("x-content-type-options"), "nosniff");
      assert.notMatch(html, /<script|src=|href=|url\(|@import/i);
      yield* Fiber.interrupt(signIn);
    }).pipe(Effect.scoped),
  );
});

describe("signInWithBrowser, its ports", () => {
  const stranger = Effect.acquireRelease(
    Effect.promise(async () => {
      const asked: Array<string> = [];
      const server = createServer((request, response) => {
        asked.push(`${request.method} ${request.url}`);
        response.end("mine");
      });
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      const address = server.address();
      return { port: typeof address === "object" ? (address?.port ?? 0) : 0, asked, server };
    }),
    ({ server }) =>
      Effect.promise(() => {
        server.closeAllConnections();
        return new Promise((resolve) => server.close(resolve));
      }),
  );

  it.live("uses the second port if another program keeps the first", () =>
    Effect.gen(function* () {
      const fake = memoryAuthority();
      const { port, asked } = yield* stranger;
      const { redirectUri, signIn } = yield* start(fake, {
        ports: [port, 0],
        portRetryMs: 400,
      });
      assert.notStrictEqual(new URL(redirectUri).port, String(port));
      assert.deepStrictEqual(asked, ["GET /cancel"]);
      yield* Fiber.interrupt(signIn);
    }).pipe(Effect.scoped),
  );

  it.live("takes the first port from another sign-in, which is cancelled", () =>
    Effect.gen(function* () {
      const fake = memoryAuthority();
      const first = yield* start(fake);
      const port = Number(new URL(first.origin).port);
      const second = yield* start(fake, { ports: [port, 0] });
      assert.strictEqual((yield* failureOf(first.signIn)).code, "LOGIN_SIGN_IN_CANCELLED");
      assert.strictEqual(second.origin, first.origin);
      yield* Fiber.interrupt(second.signIn);
    }).pipe(Effect.scoped),
  );

  it.live("fails if other programs keep both ports", () =>
    Effect.gen(function* () {
      const fake = memoryAuthority();
      const [one, two] = [yield* stranger, yield* stranger];
      const ports = [one.port, two.port];
      const error = yield* Effect.flip(
        signInWithBrowser({
          issuer: fake.issuer,
          ports,
          portRetryMs: 200,
          onAuthorizeUrl: () => Effect.die("nothing is to be shown"),
        }).pipe(Effect.provide(fake.layer)),
      );
      assert.deepInclude(error, { code: "LOGIN_CALLBACK_PORTS_TAKEN", ports });
      assert.deepStrictEqual(two.asked, []);
    }).pipe(Effect.scoped),
  );
});
