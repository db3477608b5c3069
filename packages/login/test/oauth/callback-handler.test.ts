import { connect, type Socket } from "node:net";
import { assert, describe, it } from "@effect/vitest";
import * as Effect from "effect/Effect";
import * as Result from "effect/Result";
import { openCallbackServer, type CallbackServerOptions } from "../../src/oauth/callback/server.ts";
import { visit } from "./support/memory-authority.ts";

const open = (options: Partial<CallbackServerOptions> = {}) =>
  openCallbackServer({
    state: "mine",
    linkSecret: "secret",
    applicationName: "test",
    onRejectedCallback: () => {},
    ports: [0],
    portRetryMs: 0,
    ...options,
  });

/** A server whose link leads to the authority, and the link. */
const openWithLink = Effect.fnUntraced(function* (options: Partial<CallbackServerOptions> = {}) {
  const { handler, redirectUri } = yield* open(options);
  const link = new URL(handler.linkTo("https://authority.example/?state=mine"), redirectUri).href;
  return { handler, link };
});

const authorityUrl = "https://authority.example/?state=mine";
const ownUserId = process.getuid?.() ?? 0;

describe("CallbackHandler", () => {
  it.live("cannot commit after a cancellation, nor be cancelled after a commit", () =>
    Effect.gen(function* () {
      const cancelled = yield* open();
      yield* visit(new URL("/cancel", cancelled.redirectUri).href);
      assert.isTrue(Result.isFailure(yield* Effect.result(cancelled.handler.commit)));
      const committed = yield* open();
      yield* committed.handler.commit;
      const late = yield* visit(new URL("/cancel", committed.redirectUri).href);
      assert.strictEqual(late.status, 409);
    }).pipe(Effect.scoped),
  );

  it.live("keeps its first outcome", () =>
    Effect.gen(function* () {
      const { handler, redirectUri } = yield* open();
      yield* handler.succeed;
      yield* handler.fail({ status: 500, tone: "bad", icon: "cross", title: "no", paragraphs: [] });
      const callback = yield* visit(`${redirectUri}?code=x&state=mine`);
      assert.strictEqual(callback.location, "/success");
    }).pipe(Effect.scoped),
  );
});

describe("CallbackHandler, the link for the browser", () => {
  it.live("redirects the user of this process, as often as asked", () =>
    Effect.gen(function* () {
      const { link } = yield* openWithLink();
      for (const _ of [1, 2]) {
        const { headers, location, status } = yield* visit(link);
        assert.deepStrictEqual([status, location], [302, authorityUrl]);
        assert.strictEqual(headers.get("referrer-policy"), "no-referrer");
        assert.strictEqual(headers.get("cache-control"), "no-store");
      }
    }).pipe(Effect.scoped),
  );

  it.live("gives nothing to another user, and still works for the right one", () =>
    Effect.gen(function* () {
      let userId = ownUserId + 1;
      const { link } = yield* openWithLink({ userIdOf: () => userId });
      const other = yield* visit(link);
      assert.deepStrictEqual([other.status, other.location], [403, null]);
      assert.notInclude(other.html, "authority.example");
      userId = ownUserId;
      assert.strictEqual((yield* visit(link)).location, authorityUrl);
    }).pipe(Effect.scoped),
  );

  it.live(
    "gives nothing to a connection that its client has closed, and is not used up by it",
    () =>
      Effect.gen(function* () {
        let userId: number | null | undefined = null;
        const { link } = yield* openWithLink({ userIdOf: () => userId });
        for (const _ of [1, 2]) assert.strictEqual((yield* visit(link)).status, 403);
        userId = undefined;
        assert.strictEqual((yield* visit(link)).location, authorityUrl);
      }).pipe(Effect.scoped),
  );

  it.live("redirects root, which can read the address anyway", () =>
    Effect.gen(function* () {
      const { link } = yield* openWithLink({ userIdOf: () => 0 });
      assert.strictEqual((yield* visit(link)).location, authorityUrl);
    }).pipe(Effect.scoped),
  );

  it.live(
    "works once if the system does not tell who is connected; a second use ends the sign-in",
    () =>
      Effect.gen(function* () {
        const { handler, link } = yield* openWithLink({ userIdOf: () => undefined });
        assert.strictEqual((yield* visit(link)).location, authorityUrl);
        const second = yield* visit(link);
        assert.deepStrictEqual([second.status, second.location], [409, null]);
        const error = yield* Effect.flip(handler.cancelled);
        assert.strictEqual(error.code, "LOGIN_SIGN_IN_LINK_REUSED");
      }).pipe(Effect.scoped),
  );

  it.live("works only with its secret, and only after there is an address to redirect to", () =>
    Effect.gen(function* () {
      const { link } = yield* openWithLink();
      for (const wrong of [`${link}x`, link.slice(0, -1), link.replace("secret", "")]) {
        assert.strictEqual((yield* visit(wrong)).status, 404);
      }
      const { redirectUri } = yield* open();
      assert.strictEqual((yield* visit(new URL("/open/secret", redirectUri).href)).status, 404);
    }).pipe(Effect.scoped),
  );
});

/** Opens a connection, sends what it is given, and says when the server closed it. */
const rawConnection = (redirectUri: string, bytes: string) =>
  Effect.acquireRelease(
    Effect.promise(
      () =>
        new Promise<{ readonly socket: Socket; readonly closed: Promise<string> }>((resolve) => {
          const socket = connect(Number(new URL(redirectUri).port), "127.0.0.1");
          let received = "";
          socket.on("data", (chunk) => (received += chunk.toString()));
          socket.on("error", () => {});
          const closed = new Promise<string>((done) => socket.once("close", () => done(received)));
          socket.once("connect", () => {
            socket.write(bytes);
            resolve({ socket, closed });
          });
        }),
    ),
    ({ socket }) => Effect.sync(() => socket.destroy()),
  );

describe("the callback server, under attack by another local program", () => {
  const slow = [
    ["that sends nothing", "", "408"],
    ["that never ends its headers", "GET / HTTP/1.1\r\nhost: x\r\n", "408"],
    ["that never ends its body", "GET / HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n", "403"],
  ] as const;
  for (const [name, bytes, status] of slow) {
    it.live(`closes a connection ${name}`, () =>
      Effect.gen(function* () {
        const limits = { requestTimeoutMs: 100, maxConnections: 64 };
        const { redirectUri } = yield* open({ limits });
        const { closed } = yield* rawConnection(redirectUri, bytes);
        const response = yield* Effect.promise(() => closed);
        assert.strictEqual(response.slice(0, 12), `HTTP/1.1 ${status}`);
      }).pipe(Effect.scoped),
    );
  }

  it.live("refuses a query of 40 KB without reading it", () =>
    Effect.gen(function* () {
      const { redirectUri } = yield* open();
      const page = yield* visit(`${redirectUri}?code=${"x".repeat(40_000)}&state=mine`);
      assert.strictEqual(page.status, 431);
    }).pipe(Effect.scoped),
  );

  it.live("closes connections beyond its limit, and serves again once the others are gone", () =>
    Effect.gen(function* () {
      const limits = { requestTimeoutMs: 200, maxConnections: 4 };
      const { redirectUri } = yield* open({ limits });
      const held = yield* Effect.forEach([1, 2, 3, 4], () => rawConnection(redirectUri, "GET"));
      const extra = yield* rawConnection(redirectUri, "GET / HTTP/1.1\r\n\r\n");
      assert.strictEqual(yield* Effect.promise(() => extra.closed), "");
      yield* Effect.promise(() => Promise.all(held.map(({ closed }) => closed)));
      assert.strictEqual((yield* visit(redirectUri)).status, 400);
    }).pipe(Effect.scoped),
  );
});
