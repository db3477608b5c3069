import { createHash } from "node:crypto";
import { assert, describe, it } from "@effect/vitest";
import type { ChatgptTokens } from "../../src/manager/index.ts";
import { signInWithBrowser } from "../../src/oauth/browser.ts";
import * as Deferred from "effect/Deferred";
import * as Effect from "effect/Effect";
import * as Fiber from "effect/Fiber";
import * as Redacted from "effect/Redacted";
import { CANARIES, idToken, memoryAuthority, visit } from "./support/memory-authority.ts";
import {
  approved,
  assertNoCanary,
  failureOf,
  isListening,
  start,
} from "./support/running-sign-in.ts";

describe("signInWithBrowser", () => {
  it.effect("requests authorization with the parameters of docs/protocol.md, in their order", () =>
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
    "exchanges the code with the verifier of its challenge, and saves before it shows success",
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

  it.live("ends and frees its port even if the last page is not fetched", () =>
    Effect.gen(function* () {
      const fake = memoryAuthority();
      const { signIn, answer, origin } = yield* start(fake, { successPageTimeoutMs: 20 });
      yield* visit(answer(approved));
      yield* Fiber.join(signIn);
      assert.isFalse(yield* isListening(origin));
    }).pipe(Effect.scoped),
  );

  it.effect("answers repeated callbacks like the first, with one code exchange", () =>
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

  it.effect("rejects a callback with two codes, and exchanges nothing", () =>
    Effect.gen(function* () {
      const fake = memoryAuthority();
      const { signIn, answer } = yield* start(fake);
      const sent = yield* visit(`${answer(approved)}&code=another`);
      assert.strictEqual(sent.status, 400);
      const error = yield* failureOf(signIn);
      assert.deepInclude(error, { code: "LOGIN_AUTHORIZATION_FAILED", error: "invalid_response" });
      assert.include(error.message, '"code" parameter must be provided only once');
      assert.deepStrictEqual(fake.received, []);
      assertNoCanary([sent.html, error]);
    }).pipe(Effect.scoped),
  );

  it.effect("leaves out the API key if the authority issues none", () =>
    Effect.gen(function* () {
      const fake = memoryAuthority();
      fake.answers["apiKey"] = [{ status: 403, body: { error: "no organization" } }];
      const { signIn, comeBack } = yield* start(fake);
      yield* comeBack;
      assert.notProperty(yield* Fiber.join(signIn), "apiKey");
    }).pipe(Effect.scoped),
  );

  it.effect("uses OpenAI's authority and the client of Codex by default", () =>
    Effect.gen(function* () {
      const { url, signIn } = yield* start(memoryAuthority(), {
        issuer: " https://auth.openai.com/ ",
        clientId: " ",
      });
      assert.strictEqual(url.searchParams.get("client_id"), "app_EMoamEEZ73f0CkXaXp7hrann");
      assert.strictEqual(url.origin + url.pathname, "https://auth.openai.com/oauth/authorize");
      assert.strictEqual(url.searchParams.get("originator"), "codex_cli_rs");
      assert.isFalse(url.searchParams.has("allowed_workspace_id"));
      yield* Fiber.interrupt(signIn);
    }),
  );
});

describe("signInWithBrowser, options", () => {
  const issuers: ReadonlyArray<readonly [issuer: string, reason: string]> = [
    ["auth.example.com", "it is not an absolute URL"],
    ["ftp://auth.example.com", "it is not an http(s) URL"],
    ["http://auth.example.com", "plain http is allowed for loopback hosts only"],
    ["https://auth.example.com/?a=b", "it has a query or a fragment"],
    [`https://me:${CANARIES.access}@auth.example.com`, "it has a user name or password"],
  ];
  for (const [issuer, reason] of issuers) {
    it.effect(`rejects an issuer: ${reason}`, () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(
          signInWithBrowser({ issuer, onAuthorizeUrl: () => Effect.die("shown") }),
        );
        assert.deepInclude(error, { code: "LOGIN_ISSUER_INVALID", reason });
        assertNoCanary(error);
      }).pipe(Effect.provide(memoryAuthority().layer)),
    );
  }

  it.effect("continues if no browser opens, and reports it", () =>
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

  it.effect(
    "passes a link without state to the browser, which leads to the URL that it showed, and does not wait for the browser",
    () =>
      Effect.gen(function* () {
        const fake = memoryAuthority();
        const opened = yield* Deferred.make<string>();
        const { signIn, url, comeBack } = yield* start(fake, {
          openBrowser: (target) => Effect.andThen(Deferred.succeed(opened, target), Effect.never),
        });
        const link = yield* Deferred.await(opened);
        assert.match(link, /^http:\/\/127\.0\.0\.1:\d+\/open\/[\w-]{43}$/);
        assert.notInclude(link, url.searchParams.get("state") ?? "");
        assert.strictEqual((yield* visit(link)).location, url.href);
        yield* comeBack;
        yield* Fiber.join(signIn);
      }).pipe(Effect.scoped),
  );
});
