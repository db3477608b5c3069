import { createServer, request as httpRequest } from "node:http";
import { createHash } from "node:crypto";
import { inspect } from "node:util";
import { assert, describe, it, vi } from "@effect/vitest";
import type { ChatgptTokens } from "../src/auth-manager.ts";
import { signInWithBrowser, type BrowserSignInOptions } from "../src/sign-in-browser.ts";
import * as Deferred from "effect/Deferred";
import * as Effect from "effect/Effect";
import * as Exit from "effect/Exit";
import * as Fiber from "effect/Fiber";
import * as Redacted from "effect/Redacted";
import * as TestClock from "effect/testing/TestClock";
import { CANARIES, idToken, memoryAuthority, tokens, visit } from "./sign-in/fixture.ts";

const approved = { code: CANARIES.code };

/** Starts a sign-in and hands over what a person's browser would know of it. */
const start = Effect.fnUntraced(function* <E = never>(
  fake: ReturnType<typeof memoryAuthority>,
  options: Partial<BrowserSignInOptions<E>> = {},
) {
  const shown = yield* Deferred.make<URL>();
  const signIn = yield* signInWithBrowser<E>({
    issuer: fake.issuer,
    clientId: "client-1",
    ports: [0],
    onAuthorizeUrl: ({ url }) => Effect.asVoid(Deferred.succeed(shown, new URL(url))),
    ...options,
  }).pipe(Effect.provide(fake.layer), Effect.forkChild);
  const url = yield* Effect.raceFirst(
    Deferred.await(shown),
    Effect.flatMap(Fiber.join(signIn), () => Effect.die("ended before it began")),
  );
  const redirectUri = url.searchParams.get("redirect_uri") ?? "";
  const state = url.searchParams.get("state") ?? "";
  const answer = (query: Record<string, string>) =>
    `${redirectUri}?${new URLSearchParams({ state, ...query }).toString()}`;
  const origin = new URL(redirectUri).origin;
  /** What a browser does once the person has agreed. */
  const comeBack = Effect.andThen(visit(answer(approved)), visit(`${origin}/success`));
  return { signIn, url, redirectUri, origin, state, answer, comeBack };
});

/** The flow's error, from a fiber that must have failed. */
const failureOf = <A, E>(fiber: Fiber.Fiber<A, E>): Effect.Effect<E> =>
  Effect.flip(Fiber.join(fiber)).pipe(Effect.orDie);

const isListening = (origin: string): Effect.Effect<boolean> =>
  Effect.promise(() =>
    fetch(origin).then(
      () => true,
      () => false,
    ),
  );

const assertNoCanary = (value: unknown): void => {
  const text =
    typeof value === "string" ? value : `${inspect(value, { depth: 9 })} ${String(value)}`;
  for (const canary of Object.values(CANARIES)) assert.notInclude(text, canary);
};

describe("signInWithBrowser", () => {
  it.effect("asks for authorization with the parameters of the contract, in their order", () =>
    Effect.gen(function* () {
      const fake = memoryAuthority();
      const { url, redirectUri, signIn } = yield* start(fake, {
        allowedWorkspaceIds: ["ws_a", " ", "ws_b "],
        originator: "my tool",
      });
      assert.strictEqual(url.origin + url.pathname, `${fake.issuer}/oauth/authorize`);
      assert.deepStrictEqual(
        [...url.searchParams].map(([name]) => name).join(" "),
        "response_type client_id redirect_uri code_challenge code_challenge_method state scope id_token_add_organizations codex_cli_simplified_flow originator allowed_workspace_id",
      );
      const { code_challenge, state, ...rest } = Object.fromEntries(url.searchParams);
      assert.match(code_challenge ?? "", /^[\w-]{43}$/);
      assert.match(state ?? "", /^[\w-]{43}$/);
      assert.match(redirectUri, /^http:\/\/127\.0\.0\.1:\d+\/auth\/callback$/);
      assert.deepStrictEqual(rest, {
        response_type: "code",
        client_id: "client-1",
        redirect_uri: redirectUri,
        code_challenge_method: "S256",
        scope: "openid profile email offline_access api.connectors.read api.connectors.invoke",
        id_token_add_organizations: "true",
        codex_cli_simplified_flow: "true",
        originator: "my tool",
        allowed_workspace_id: "ws_a,ws_b",
      });
      assert.include(url.search, "scope=openid+profile+email");
      yield* Fiber.interrupt(signIn);
    }).pipe(Effect.scoped),
  );

  it.effect(
    "exchanges the code with the verifier of its challenge, and saves before success shows",
    () =>
      Effect.gen(function* () {
        const fake = memoryAuthority();
        const saved = yield* Deferred.make<ChatgptTokens>();
        const { signIn, url, answer, redirectUri, origin } = yield* start(fake, {
          save: (issued) => Deferred.succeed(saved, issued),
        });
        const sent = yield* visit(answer(approved));
        assert.isTrue(yield* Deferred.isDone(saved));
        assert.deepStrictEqual([sent.status, sent.location, sent.html], [302, "/success", ""]);
        const page = yield* visit(`${origin}/success`);
        assert.strictEqual(page.status, 200);
        assert.include(page.html, "You are signed in");
        const result = yield* Fiber.join(signIn);
        assert.deepStrictEqual(
          [result.idToken, result.accessToken, result.refreshToken].map(Redacted.value),
          [idToken(), CANARIES.access, CANARIES.refresh],
        );
        assert.strictEqual(result.accountId, "ws_allowed");
        assert.strictEqual(result.apiKey && Redacted.value(result.apiKey), CANARIES.apiKey);
        assert.deepStrictEqual(result.provenance, { issuer: fake.issuer, clientId: "client-1" });
        const [code, apiKey] = fake.received.map(({ body }) => [...new URLSearchParams(body)]);
        const verifier = code?.at(-1)?.[1] ?? "";
        assert.deepStrictEqual(code, [
          ["grant_type", "authorization_code"],
          ["code", CANARIES.code],
          ["redirect_uri", redirectUri],
          ["client_id", "client-1"],
          ["code_verifier", verifier],
        ]);
        assert.match(verifier, /^[\w-]{86}$/);
        assert.strictEqual(
          createHash("sha256").update(verifier).digest("base64url"),
          url.searchParams.get("code_challenge"),
        );
        assert.deepStrictEqual(apiKey, [
          ["grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"],
          ["client_id", "client-1"],
          ["requested_token", "openai-api-key"],
          ["subject_token", idToken()],
          ["subject_token_type", "urn:ietf:params:oauth:token-type:id_token"],
        ]);
        assertNoCanary([sent.location, page.html, url.href, result]);
      }).pipe(Effect.scoped),
  );

  it.live("ends although nobody fetches the last page, and frees its port", () =>
    Effect.gen(function* () {
      const fake = memoryAuthority();
      const { signIn, answer, origin } = yield* start(fake, { successPageMs: 20 });
      yield* visit(answer(approved));
      yield* Fiber.join(signIn);
      assert.isFalse(yield* isListening(origin));
    }).pipe(Effect.scoped),
  );

  it.effect("gives repeated callbacks the answer of the first, from one exchange", () =>
    Effect.gen(function* () {
      const fake = memoryAuthority();
      const { signIn, answer, comeBack } = yield* start(fake);
      const twins = yield* Effect.all(
        [visit(answer(approved)), visit(answer({ code: "another" })), visit(answer(approved))],
        { concurrency: "unbounded" },
      );
      const late = yield* visit(answer({ error: "access_denied" }));
      assert.deepStrictEqual(
        [...twins, late].map(({ location }) => location),
        ["/success", "/success", "/success", "/success"],
      );
      yield* comeBack;
      yield* Fiber.join(signIn);
      assert.strictEqual(fake.received.length, 2, "one code, one API key");
    }).pipe(Effect.scoped),
  );

  it.effect("leaves the API key out where the authority gives none", () =>
    Effect.gen(function* () {
      const fake = memoryAuthority();
      fake.answers["apiKey"] = [{ status: 403, body: { error: "no organization" } }];
      const { signIn, comeBack } = yield* start(fake);
      yield* comeBack;
      assert.notProperty(yield* Fiber.join(signIn), "apiKey");
    }).pipe(Effect.scoped),
  );

  it.effect("names no provenance for the default authority", () =>
    Effect.gen(function* () {
      const { url, signIn } = yield* start(memoryAuthority(), {
        issuer: "https://auth.openai.com/",
        clientId: "app_EMoamEEZ73f0CkXaXp7hrann",
      });
      assert.strictEqual(url.origin + url.pathname, "https://auth.openai.com/oauth/authorize");
      assert.strictEqual(url.searchParams.get("originator"), "codex_cli_rs");
      assert.isFalse(url.searchParams.has("allowed_workspace_id"));
      yield* Fiber.interrupt(signIn);
    }),
  );
});

describe("signInWithBrowser, refused by the authority", () => {
  const refusals = [
    {
      name: "the person denies",
      query: { error: "access_denied", error_description: "The <b>user</b> said no" },
      code: "LOGIN_AUTHORIZATION_DENIED",
      status: 403,
      page: "The &lt;b&gt;user&lt;/b&gt; said no",
    },
    {
      name: "the account has no Codex",
      query: { error: "access_denied", error_description: "missing_codex_entitlement: ask" },
      code: "LOGIN_CODEX_ENTITLEMENT_MISSING",
      status: 403,
      page: "Codex is not enabled for you",
    },
    {
      name: "the authority fails",
      query: { error: "server_error", error_description: "\u001b[2Joops" },
      code: "LOGIN_AUTHORIZATION_FAILED",
      status: 400,
      page: "the authority ended the sign-in: [2Joops",
    },
    {
      name: "the code is missing",
      query: {},
      code: "LOGIN_AUTHORIZATION_CODE_MISSING",
      status: 400,
      page: "without an authorization code",
    },
    {
      name: "another issuer answers (RFC 9207)",
      query: { code: CANARIES.code, iss: "https://elsewhere.example" },
      code: "LOGIN_AUTHORIZATION_FAILED",
      status: 400,
      page: "iss",
    },
    {
      name: "tokens come in the URL",
      query: { id_token: CANARIES.access },
      code: "LOGIN_AUTHORIZATION_FAILED",
      status: 400,
      page: "implicit",
    },
  ];
  for (const refusal of refusals) {
    it.effect(`ends when ${refusal.name}`, () =>
      Effect.gen(function* () {
        const fake = memoryAuthority();
        const { signIn, answer, origin } = yield* start(fake, {
          save: () => Effect.die("nothing is to be saved"),
        });
        const page = yield* visit(answer(refusal.query));
        assert.strictEqual(page.status, refusal.status);
        assert.include(page.html, refusal.page);
        const error = yield* failureOf(signIn);
        assert.strictEqual(error.code, refusal.code);
        assertNoCanary([page.html, error]);
        assert.deepStrictEqual(fake.received, []);
        assert.isFalse(yield* isListening(origin));
      }).pipe(Effect.scoped),
    );
  }

  const exchanges = [
    {
      name: "error as a string",
      answer: { status: 400, body: { error: "invalid_grant", error_description: "code is old" } },
      fields: { status: 400, error: "invalid_grant", description: "code is old" },
    },
    {
      name: "error as an object",
      answer: { status: 401, body: { error: { code: "token_expired", message: "too late" } } },
      fields: { status: 401, error: "token_expired", description: "too late" },
    },
    {
      name: "code and message",
      answer: { status: 500, body: { code: "boom", message: `no ${CANARIES.code}` } },
      fields: { status: 500, error: "boom", description: "no ***" },
    },
    {
      name: "a page instead of JSON",
      answer: { status: 502, body: "<html>Bad gateway</html>" },
      fields: { status: 502 },
    },
  ];
  for (const { name, answer: given, fields } of exchanges) {
    it.effect(`ends when the token endpoint refuses with ${name}`, () =>
      Effect.gen(function* () {
        const fake = memoryAuthority();
        fake.answers["code"] = [given];
        const { signIn, answer } = yield* start(fake);
        const page = yield* visit(answer(approved));
        assert.strictEqual(page.status, 502);
        const error = yield* failureOf(signIn);
        assert.deepInclude(error, { _tag: "TokenExchangeRejected", ...fields });
        assertNoCanary([page.html, error]);
      }).pipe(Effect.scoped),
    );
  }

  const unreadable: ReadonlyArray<readonly [body: unknown, reason: string]> = [
    ["<html>", "it is not JSON"],
    [{ access_token: CANARIES.access, refresh_token: 7 }, "id_token, refresh_token missing"],
    [{ id_token: "x", access_token: CANARIES.access, refresh_token: "r" }, "id_token is not a JWT"],
  ];
  for (const [body, reason] of unreadable) {
    it.effect(`ends when a good answer is none: ${reason}`, () =>
      Effect.gen(function* () {
        const fake = memoryAuthority();
        fake.answers["code"] = [{ status: 200, body }];
        const { signIn, answer } = yield* start(fake);
        const page = yield* visit(answer(approved));
        const error = yield* failureOf(signIn);
        assert.strictEqual(error.code, "LOGIN_AUTHORITY_ANSWER_UNREADABLE");
        assert.include(error.message, reason);
        assertNoCanary([page.html, error]);
      }).pipe(Effect.scoped),
    );
  }

  it.effect("ends when the authority is away, and says where it was looked for", () =>
    Effect.gen(function* () {
      const fake = memoryAuthority();
      fake.answers["code"] = [null];
      const { signIn, answer } = yield* start(fake);
      const page = yield* visit(answer(approved));
      assert.strictEqual(page.status, 502);
      const error = yield* failureOf(signIn);
      assert.strictEqual(error.code, "LOGIN_AUTHORITY_UNREACHABLE");
      assert.strictEqual(error.message, `cannot reach ${fake.issuer}: there is no network`);
    }),
  );

  it.effect("saves nothing for a workspace that is not allowed, nor asks for its API key", () =>
    Effect.gen(function* () {
      const fake = memoryAuthority();
      fake.answers["code"] = [tokens("ws_<other>")];
      const { signIn, answer } = yield* start(fake, {
        allowedWorkspaceIds: ["ws_1", "ws_2"],
        save: () => Effect.die("nothing is to be saved"),
      });
      const page = yield* visit(answer(approved));
      assert.strictEqual(page.status, 403);
      assert.include(page.html, "ws_&lt;other&gt;");
      const error = yield* failureOf(signIn);
      assert.strictEqual(error.code, "LOGIN_WORKSPACE_NOT_ALLOWED");
      assert.strictEqual(error.message, "Login is restricted to workspace id(s) ws_1, ws_2.");
      assert.strictEqual(fake.received.length, 1);
    }).pipe(Effect.scoped),
  );

  it.effect("refuses tokens without a workspace where workspaces are restricted", () =>
    Effect.gen(function* () {
      const fake = memoryAuthority();
      fake.answers["code"] = [tokens(null)];
      const { signIn, answer } = yield* start(fake, { allowedWorkspaceIds: ["ws_1"] });
      yield* visit(answer(approved));
      assert.strictEqual((yield* failureOf(signIn)).code, "LOGIN_WORKSPACE_NOT_ALLOWED");
    }).pipe(Effect.scoped),
  );

  it.effect("fails with the error of a save that fails, and says so on the page", () =>
    Effect.gen(function* () {
      const fake = memoryAuthority();
      const { signIn, answer, origin } = yield* start(fake, {
        save: () => Effect.fail({ code: "DISK_FULL" as const }),
      });
      const page = yield* visit(answer(approved));
      assert.strictEqual(page.status, 500);
      assert.include(page.html, "could not be saved");
      assert.strictEqual((yield* failureOf(signIn)).code, "DISK_FULL");
      assert.isFalse(yield* isListening(origin));
    }).pipe(Effect.scoped),
  );
});

describe("signInWithBrowser, the callback server", () => {
  it.effect("refuses callbacks of another state and waits on for its own", () =>
    Effect.gen(function* () {
      const fake = memoryAuthority();
      let refused = 0;
      const { signIn, redirectUri, state, comeBack } = yield* start(fake, {
        onRefusedCallback: () => {
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

  it.effect("goes away at its time limit, and says that nobody came", () =>
    Effect.gen(function* () {
      const fake = memoryAuthority();
      const { signIn, origin } = yield* start(fake);
      yield* TestClock.adjust("14 minutes");
      assert.isTrue(yield* isListening(origin));
      yield* TestClock.adjust("1 minute");
      const error = yield* failureOf(signIn);
      assert.strictEqual(error.code, "LOGIN_SIGN_IN_TIMED_OUT");
      assert.strictEqual(error.message, "nobody finished the sign-in within 15 minutes");
      assert.isFalse(yield* isListening(origin));
    }).pipe(Effect.scoped),
  );

  it.effect("says at its time limit that only a foreign state came", () =>
    Effect.gen(function* () {
      const fake = memoryAuthority();
      const { signIn, redirectUri } = yield* start(fake, { timeLimitMs: 1000 });
      yield* visit(`${redirectUri}?code=x&state=y`);
      yield* TestClock.adjust("1 second");
      assert.deepInclude(yield* failureOf(signIn), {
        code: "LOGIN_SIGN_IN_STATE_MISMATCH",
        refusedCallbacks: 1,
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

  it.effect("tells a waiting browser when it is interrupted in the middle of the exchange", () =>
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

  it.effect("finishes a save that it is interrupted in, and tells the browser the truth", () =>
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

  it.effect("ends when it is told to cancel, but not by a page of another site", () =>
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

  it.effect("cannot be cancelled any more while it saves", () =>
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
    "answers under its own address only, to GET only, and shows success to nobody early",
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

  it.effect("sends pages that can load nothing, be framed by nobody and be kept by no cache", () =>
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

  it.live("takes the second port when a stranger holds the first and keeps it", () =>
    Effect.gen(function* () {
      const fake = memoryAuthority();
      const { port, asked } = yield* stranger;
      const { redirectUri, signIn } = yield* start(fake, {
        ports: [port, 0],
        portPatienceMs: 400,
      });
      assert.notStrictEqual(new URL(redirectUri).port, String(port));
      assert.deepStrictEqual(asked, ["GET /cancel"]);
      yield* Fiber.interrupt(signIn);
    }).pipe(Effect.scoped),
  );

  it.live("takes the first port over from another sign-in, which ends as cancelled", () =>
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

  it.live("fails when strangers hold both", () =>
    Effect.gen(function* () {
      const fake = memoryAuthority();
      const [one, two] = [yield* stranger, yield* stranger];
      const ports = [one.port, two.port];
      const error = yield* Effect.flip(
        signInWithBrowser({
          issuer: fake.issuer,
          ports,
          portPatienceMs: 200,
          onAuthorizeUrl: () => Effect.die("nothing is to be shown"),
        }).pipe(Effect.provide(fake.layer)),
      );
      assert.deepInclude(error, { code: "LOGIN_CALLBACK_PORTS_TAKEN", ports });
      assert.deepStrictEqual(two.asked, []);
    }).pipe(Effect.scoped),
  );
});

describe("signInWithBrowser, its options", () => {
  const issuers: ReadonlyArray<readonly [issuer: string, reason: string]> = [
    ["auth.example.com", "not an absolute URL"],
    ["ftp://auth.example.com", "not an http(s) URL"],
    ["http://auth.example.com", "plain http is for loopback hosts only"],
    ["https://auth.example.com/?a=b", "it has a query or a fragment"],
    [`https://me:${CANARIES.access}@auth.example.com`, "it holds a user name or password"],
  ];
  for (const [issuer, reason] of issuers) {
    it.effect(`refuses an issuer: ${reason}`, () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(
          signInWithBrowser({ issuer, onAuthorizeUrl: () => Effect.die("shown") }),
        );
        assert.deepInclude(error, { code: "LOGIN_INVALID_ISSUER", reason });
        assertNoCanary(error);
      }).pipe(Effect.provide(memoryAuthority().layer)),
    );
  }

  it.effect("goes on when no browser opens, and says so once", () =>
    Effect.gen(function* () {
      const fake = memoryAuthority();
      const failed = yield* Deferred.make<void>();
      const { signIn, comeBack } = yield* start(fake, {
        openBrowser: () => Effect.fail("no browser here"),
        onBrowserFailed: () => Effect.asVoid(Deferred.succeed(failed, undefined)),
      });
      yield* Deferred.await(failed);
      yield* comeBack;
      yield* Fiber.join(signIn);
    }).pipe(Effect.scoped),
  );

  it.effect("opens the URL that it showed, and waits for no browser", () =>
    Effect.gen(function* () {
      const fake = memoryAuthority();
      const opened = yield* Deferred.make<string>();
      const { signIn, url, comeBack } = yield* start(fake, {
        openBrowser: (target) => Effect.andThen(Deferred.succeed(opened, target), Effect.never),
      });
      assert.strictEqual(yield* Deferred.await(opened), url.href);
      yield* comeBack;
      yield* Fiber.join(signIn);
    }).pipe(Effect.scoped),
  );
});
