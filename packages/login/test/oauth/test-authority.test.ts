/** Both sign-ins against test-authority, over the package's own HTTP client and real sockets. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { assert, describe, it } from "@effect/vitest";
import {
  startTestAuthority,
  type Behaviour,
  type Decision,
  type TestAuthority,
  type TestAuthorityOptions,
} from "@agent-auth/test-authority";
import * as Effect from "effect/Effect";
import * as Redacted from "effect/Redacted";
import type { LoginErrorCode } from "../../src/errors/index.ts";
import { layer as httpClient } from "../../src/http/index.ts";
import { signInWithBrowser } from "../../src/oauth/browser.ts";
import { signInWithDeviceCode } from "../../src/oauth/device.ts";
import { decideInBrowser } from "./support/memory-authority.ts";

const running = (options: TestAuthorityOptions = {}) =>
  Effect.acquireRelease(
    Effect.promise(() => startTestAuthority(options)),
    (authority) => Effect.promise(() => authority.close()),
  );

/** A file that holds this text until the scope closes. */
const fileWith = (text: string) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const folder = await mkdtemp(join(tmpdir(), "sign-in-"));
      await writeFile(join(folder, "ca.pem"), text);
      return folder;
    }),
    (folder) => Effect.promise(() => rm(folder, { recursive: true })),
  ).pipe(Effect.map((folder) => join(folder, "ca.pem")));

/** A person who decides at once, in a browser that follows the redirects. */
const signInAs = (
  authority: TestAuthority,
  decision?: Decision,
  allowed: ReadonlyArray<string> = [],
  timeoutMs = 5000,
) =>
  signInWithBrowser({
    issuer: authority.issuer,
    ports: [0],
    timeoutMs,
    successPageTimeoutMs: 20,
    allowedWorkspaceIds: allowed,
    onAuthorizeUrl: () => Effect.void,
    openBrowser: (link) => decideInBrowser(authority, link, decision),
  }).pipe(Effect.provide(httpClient({})));

const signInByCode = (authority: TestAuthority, decision: Decision | null, limitMs = 3000) =>
  signInWithDeviceCode({
    issuer: authority.issuer,
    timeoutMs: limitMs,
    onCode: ({ userCode }) =>
      Effect.sync(() => void (decision && authority.decideDevice(userCode, decision))),
  }).pipe(Effect.provide(httpClient({})));

const approve: Decision = { decision: "approve" };
const deny: Decision = { decision: "deny" };

describe("signInWithBrowser at test-authority", () => {
  it.live("returns tokens that the authority accepts, and an API key", () =>
    Effect.gen(function* () {
      const authority = yield* running();
      const tokens = yield* signInAs(authority, approve, [authority.account.accountId]);
      assert.strictEqual(tokens.accountId, authority.account.accountId);
      assert.isTrue(authority.revokeAccessToken(Redacted.value(tokens.accessToken)));
      assert.isTrue(authority.revokeRefreshToken(Redacted.value(tokens.refreshToken)));
      assert.match(tokens.apiKey ? Redacted.value(tokens.apiKey) : "", /^sk-proj-/);
      assert.strictEqual(
        authority.requestsTo("codeExchange")[0]?.headers["originator"],
        "codex_cli_rs",
      );
    }).pipe(Effect.scoped),
  );

  it.live("signs in to the workspace that the person picks, if it is allowed", () =>
    Effect.gen(function* () {
      const authority = yield* running();
      const account = authority.createAccount();
      const picked = { decision: "approve", account } as const;
      assert.strictEqual((yield* signInAs(authority, picked)).accountId, account.accountId);
      const allowed = authority.account.accountId;
      const error = yield* Effect.flip(signInAs(authority, picked, [allowed]));
      assert.deepInclude(error, { code: "LOGIN_WORKSPACE_NOT_ALLOWED", found: account.accountId });
      assert.strictEqual(authority.count("apiKeyExchange"), 1, "none for the second");
    }).pipe(Effect.scoped),
  );

  const refusals: ReadonlyArray<{
    readonly when: string;
    readonly steer: (authority: TestAuthority) => void;
    readonly decision?: Decision;
    readonly code: LoginErrorCode;
    readonly message?: RegExp;
  }> = [
    {
      when: "the person denies",
      steer: () => {},
      decision: deny,
      code: "LOGIN_AUTHORIZATION_DENIED",
    },
    {
      when: "the account has no Codex",
      steer: ({ configure }) => configure({ denialDescription: "missing_codex_entitlement" }),
      decision: deny,
      code: "LOGIN_CODEX_ENTITLEMENT_MISSING",
    },
    {
      when: "the authority answers with another state, until the time is up",
      steer: ({ configure }) => configure({ wrongState: true }),
      code: "LOGIN_SIGN_IN_STATE_MISMATCH",
    },
    {
      when: "the code has expired (error as an object)",
      steer: ({ configure }) => configure({ authorizationCodeSeconds: 0 }),
      code: "LOGIN_CODE_EXCHANGE_REJECTED",
      message: /^code exchange failed with status 400: invalid_grant: the code has expired$/,
    },
    {
      when: "the code has expired (error as a string)",
      steer: ({ configure }) =>
        configure({ authorizationCodeSeconds: 0, tokenErrorShape: "string" }),
      code: "LOGIN_CODE_EXCHANGE_REJECTED",
      message: /^code exchange failed with status 400: invalid_grant: the code has expired$/,
    },
    {
      when: "the code has expired (code and message)",
      steer: ({ configure }) => configure({ authorizationCodeSeconds: 0, tokenErrorShape: "code" }),
      code: "LOGIN_CODE_EXCHANGE_REJECTED",
      message: /^code exchange failed with status 400: invalid_grant: the code has expired$/,
    },
  ];
  for (const { when, steer, decision = approve, code, message = /./ } of refusals) {
    it.live(`fails when ${when}`, () =>
      Effect.gen(function* () {
        const authority = yield* running();
        steer(authority);
        const limitMs = code === "LOGIN_SIGN_IN_STATE_MISMATCH" ? 300 : 5000;
        const error = yield* Effect.flip(signInAs(authority, decision, [], limitMs));
        assert.strictEqual(error.code, code);
        assert.match(error.message, message);
      }).pipe(Effect.scoped),
    );
  }

  const faults: ReadonlyArray<readonly [Behaviour, LoginErrorCode, RegExp]> = [
    ["malformedJson", "LOGIN_AUTHORITY_RESPONSE_INVALID", /it is not JSON/],
    ["html", "LOGIN_AUTHORITY_RESPONSE_INVALID", /it is not JSON/],
    ["reset", "LOGIN_AUTHORITY_UNREACHABLE", /^cannot reach http:\/\/127/],
    ["cut", "LOGIN_AUTHORITY_UNREACHABLE", /^cannot reach http:\/\/127/],
    [{ oversizedBytes: 2_000_000 }, "LOGIN_AUTHORITY_RESPONSE_INVALID", /larger than 1048576/],
    [{ status: 500, body: "no" }, "LOGIN_CODE_EXCHANGE_REJECTED", /status 500$/],
    [
      { status: 302, headers: { location: "https://evil.example/" } },
      "LOGIN_AUTHORITY_RESPONSE_INVALID",
      /not followed/,
    ],
  ];
  for (const [behaviour, code, message] of faults) {
    it.live(`fails when the token endpoint answers ${JSON.stringify(behaviour)}`, () =>
      Effect.gen(function* () {
        const authority = yield* running();
        authority.behave("codeExchange", behaviour);
        const error = yield* Effect.flip(signInAs(authority));
        assert.strictEqual(error.code, code);
        assert.match(error.message, message);
      }).pipe(Effect.scoped),
    );
  }

  it.live("omits the API key if its request fails in any way", () =>
    Effect.gen(function* () {
      const authority = yield* running();
      authority.behave("apiKeyExchange", "reset", { times: 1 });
      authority.behave("apiKeyExchange", { status: 401, body: { error: "no" } }, { times: 1 });
      authority.behave("apiKeyExchange", "html", { times: 1 });
      for (const _ of [1, 2, 3]) assert.notProperty(yield* signInAs(authority), "apiKey");
    }).pipe(Effect.scoped),
  );

  it.live(
    "names CODEX_CA_CERTIFICATE if the certificate of the authority is not trusted, and uses it",
    () =>
      Effect.gen(function* () {
        const authority = yield* running({ tls: "self-signed" });
        const error = yield* Effect.flip(signInAs(authority));
        assert.strictEqual(error.code, "AGENT_IDENTITY_HTTP_CONFIGURATION_INVALID");
        assert.include(error.message, "SELF_SIGNED");
        assert.include(error.hint, "CODEX_CA_CERTIFICATE");
        const path = yield* fileWith(authority.certificate ?? "");
        const caBundle = { variable: "CODEX_CA_CERTIFICATE", path } as const;
        const trusting = httpClient({ caBundle });
        const tokens = yield* signInWithDeviceCode({
          issuer: authority.issuer,
          onCode: ({ userCode }) =>
            Effect.sync(() => void authority.decideDevice(userCode, approve)),
        }).pipe(Effect.provide(trusting));
        assert.strictEqual(tokens.provenance?.issuer, authority.issuer);
      }).pipe(Effect.scoped),
  );
});

describe("signInWithDeviceCode at test-authority", () => {
  it.live("returns tokens, for either spelling of the user code's member", () =>
    Effect.gen(function* () {
      const authority = yield* running({
        settings: { deviceUserCodeField: "usercode", deviceIntervalSeconds: "1" },
      });
      const tokens = yield* signInByCode(authority, approve);
      assert.strictEqual(tokens.accountId, authority.account.accountId);
      assert.strictEqual(authority.count("deviceToken"), 1);
    }).pipe(Effect.scoped),
  );

  it.live("fails when the person denies", () =>
    Effect.gen(function* () {
      const authority = yield* running();
      const error = yield* Effect.flip(signInByCode(authority, deny));
      assert.strictEqual(error.code, "LOGIN_AUTHORIZATION_DENIED");
    }).pipe(Effect.scoped),
  );

  it.live("fails when device codes are not enabled", () =>
    Effect.gen(function* () {
      const authority = yield* running({ settings: { deviceSignInEnabled: false } });
      const error = yield* Effect.flip(signInByCode(authority, approve));
      assert.strictEqual(error.code, "LOGIN_DEVICE_CODE_NOT_ENABLED");
      assert.include(error.message, authority.issuer);
    }).pipe(Effect.scoped),
  );

  it.live("fails when the code expired at the authority", () =>
    Effect.gen(function* () {
      const authority = yield* running({ settings: { deviceCodeSeconds: 0 } });
      const error = yield* Effect.flip(signInByCode(authority, approve));
      assert.strictEqual(error.code, "LOGIN_DEVICE_CODE_EXPIRED");
    }).pipe(Effect.scoped),
  );

  it.live("fails if the code is not entered in time", () =>
    Effect.gen(function* () {
      const authority = yield* running();
      const error = yield* Effect.flip(signInByCode(authority, null, 200));
      assert.strictEqual(error.code, "LOGIN_DEVICE_CODE_EXPIRED");
      assert.strictEqual(authority.count("deviceToken"), 2, "at once, and when time is up");
    }).pipe(Effect.scoped),
  );

  it.live("fails if nothing listens at the issuer", () =>
    Effect.gen(function* () {
      const gone = yield* Effect.scoped(running());
      const error = yield* Effect.flip(signInByCode(gone, approve));
      assert.strictEqual(error.message, `cannot reach ${gone.issuer}: connection refused`);
    }),
  );
});
