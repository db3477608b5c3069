import { assert, describe, it } from "@effect/vitest";
import * as Effect from "effect/Effect";
import { CANARIES, memoryAuthority, tokens, visit } from "./support/memory-authority.ts";
import {
  approved,
  assertNoCanary,
  failureOf,
  isListening,
  start,
} from "./support/running-sign-in.ts";

describe("signInWithBrowser, failures", () => {
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
      name: "another issuer responds (RFC 9207)",
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
    it.effect(`fails if ${refusal.name}`, () =>
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
    it.effect(`fails if the token endpoint rejects the code with ${name}`, () =>
      Effect.gen(function* () {
        const fake = memoryAuthority();
        fake.answers["code"] = [given];
        const { signIn, answer } = yield* start(fake);
        const page = yield* visit(answer(approved));
        assert.strictEqual(page.status, 502);
        const error = yield* failureOf(signIn);
        assert.deepInclude(error, { _tag: "CodeExchangeRejected", ...fields });
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
    it.effect(`fails if a response with status 200 is invalid: ${reason}`, () =>
      Effect.gen(function* () {
        const fake = memoryAuthority();
        fake.answers["code"] = [{ status: 200, body }];
        const { signIn, answer } = yield* start(fake);
        const page = yield* visit(answer(approved));
        const error = yield* failureOf(signIn);
        assert.strictEqual(error.code, "LOGIN_AUTHORITY_RESPONSE_INVALID");
        assert.include(error.message, reason);
        assertNoCanary([page.html, error]);
      }).pipe(Effect.scoped),
    );
  }

  it.effect("fails if the authority cannot be reached, and names it", () =>
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

  it.effect("saves nothing and requests no API key for a workspace that is not allowed", () =>
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

  it.effect("rejects tokens without a workspace if workspaces are restricted", () =>
    Effect.gen(function* () {
      const fake = memoryAuthority();
      fake.answers["code"] = [tokens(null)];
      const { signIn, answer } = yield* start(fake, { allowedWorkspaceIds: ["ws_1"] });
      yield* visit(answer(approved));
      assert.strictEqual((yield* failureOf(signIn)).code, "LOGIN_WORKSPACE_NOT_ALLOWED");
    }).pipe(Effect.scoped),
  );

  it.effect("fails with the error of save, and shows a page that says so", () =>
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
