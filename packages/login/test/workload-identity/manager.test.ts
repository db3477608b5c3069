import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import * as Redacted from "effect/Redacted";
import { describe, expect, it } from "vitest";
import type { Credential } from "../../src/credential/index.ts";
import { later, type ManagerSetup, openHome, withManager } from "../manager/fixture.ts";
import { type FileSetup, openFileIdentity } from "./fixture.ts";

const current = (setup: ManagerSetup) =>
  withManager(setup, (manager) => Effect.map(manager.current, Option.getOrNull));
const failure = (setup: ManagerSetup) =>
  withManager(setup, (manager) => Effect.flip(manager.current));

const tokenOf = (credential: Option.Option<Credential>): string | undefined => {
  const found = Option.getOrUndefined(credential);
  return found?._tag === "WorkloadIdentity" ? Redacted.value(found.accessToken) : undefined;
};

const withApi = (setup: FileSetup) => {
  const { identityProviderId, serviceAccountId } = setup.authority.addServiceAccount();
  const config = [
    ...(setup.config ?? []),
    "agent_auth.workload_identity.source=file",
    `agent_auth.workload_identity.token_file=${setup.tokenFile}`,
    `agent_auth.workload_identity.identity_provider_id=${identityProviderId}`,
    `agent_auth.workload_identity.service_account_id=${serviceAccountId}`,
  ];
  return { identityProviderId, serviceAccountId, api: { ...setup, env: {}, config } };
};

describe("a workload identity", () => {
  it("is exchanged for a token of the workspace, before every other credential", async () => {
    const setup = await openFileIdentity();
    await setup.home.write({ OPENAI_API_KEY: "sk-stored" });
    const { authority, env, rule } = setup;
    const credential = await current({ ...setup, env: { ...env, CODEX_API_KEY: "sk-env" } });
    expect(credential).toMatchObject({
      _tag: "WorkloadIdentity",
      backend: "chatgpt",
      account: {
        accountId: authority.account.accountId,
        userId: authority.account.userId,
        planType: "pro",
      },
      source: {
        _tag: "WorkloadIdentity",
        identitySource: "file",
        setting: "OPENAI_FEDERATION_RULE_ID",
      },
    });
    const [request] = authority.requests;
    expect(authority.requests).toHaveLength(1);
    expect(request?.headers["content-type"]).toBe("application/x-www-form-urlencoded");
    expect([...(request?.form().keys() ?? [])]).toEqual([
      "grant_type",
      "assertion",
      "federation_rule_id",
    ]);
    expect(request?.form().get("grant_type")).toBe("urn:ietf:params:oauth:grant-type:jwt-bearer");
    expect(request?.form().get("federation_rule_id")).toBe(rule);
  });

  it.each([
    ["in the year 2100", 4_102_444_800],
    ["in milliseconds instead of seconds", 4_102_444_800_000],
    ["later than a date can say", 8.64e15],
  ])("is used for an hour if the token of the API expires %s", async (_, expiresAt) => {
    const { api } = withApi(await openFileIdentity());
    api.authority.behave("apiWorkloadExchange", {
      change: (response) => ({
        ...response,
        body: JSON.stringify({
          ...JSON.parse(typeof response.body === "string" ? response.body : ""),
          expires_at: expiresAt,
          expires_in: undefined,
        }),
      }),
    });
    const credential = await current(api);
    if (credential?._tag !== "WorkloadIdentity") throw new Error("another credential");
    expect(credential.expiresAtMs - credential.obtainedAtMs).toBe(3_600_000);
  });

  it("is exchanged for a token of the API, in JSON", async () => {
    const { api, ...ids } = withApi(await openFileIdentity());
    const credential = await current(api);
    expect(credential).toMatchObject({
      _tag: "WorkloadIdentity",
      backend: "api",
      account: { isFedrampAccount: false },
    });
    expect(api.authority.requestsTo("apiWorkloadExchange")[0]?.json()).toEqual({
      grant_type: "urn:ietf:params:oauth:grant-type:token-exchange",
      subject_token_type: "urn:ietf:params:oauth:token-type:jwt",
      subject_token: expect.any(String),
      identity_provider_id: ids.identityProviderId,
      service_account_id: ids.serviceAccountId,
    });
  });

  it("is exchanged once for several managers of a process, and again when all of them are closed", async () => {
    const setup = await openFileIdentity();
    const tokens = await withManager(setup, (first) =>
      Effect.promise(() =>
        withManager(setup, (second) =>
          Effect.all([first.current, second.current, first.current], { concurrency: 3 }).pipe(
            Effect.map((all) => all.map(tokenOf)),
          ),
        ),
      ),
    );
    expect(new Set(tokens).size).toBe(1);
    expect(tokens[0]).toBeDefined();
    expect(setup.authority.count("workloadExchange")).toBe(1);
    await current(setup);
    expect(setup.authority.count("workloadExchange")).toBe(2);
  });

  it("is not shared with a manager that has another rule, or another variable of the platform", async () => {
    const setup = await openFileIdentity();
    const { authority, env } = setup;
    const other = { ...env, OPENAI_FEDERATION_RULE_ID: authority.addFederationRule() };
    const moved = { ...env, SPIFFE_ENDPOINT_SOCKET: "unix:///elsewhere" };
    await withManager(setup, (manager) =>
      Effect.andThen(
        manager.current,
        Effect.promise(() =>
          Promise.all([current({ ...setup, env: other }), current({ ...setup, env: moved })]),
        ),
      ),
    );
    expect(authority.count("workloadExchange")).toBe(3);
  });

  it("is exchanged once for callers that come together, and kept in memory only", async () => {
    const setup = await openFileIdentity();
    await withManager({ ...setup, options: { loadAtStart: false } }, (manager) =>
      Effect.all(
        Array.from({ length: 20 }, () => manager.current),
        { concurrency: "unbounded" },
      ),
    );
    expect(setup.authority.count("workloadExchange")).toBe(1);
    expect(setup.home.isSignedIn()).toBe(false);
  });

  it("is exchanged again two minutes before the token expires, with the file as it is then", async () => {
    const setup = await openFileIdentity();
    const tokens = await withManager(setup, (manager) =>
      Effect.gen(function* () {
        const first = tokenOf(yield* manager.current);
        const before = tokenOf(yield* later(3_479_000, manager.current));
        yield* Effect.promise(async () =>
          setup.writeToken(await setup.authority.mintIdentityToken({ subject: "rotated" })),
        );
        const after = tokenOf(yield* later(3_481_000, manager.current));
        return { first, before, after };
      }),
    );
    expect(tokens.before).toBe(tokens.first);
    expect(tokens.after).not.toBe(tokens.first);
    const [one, two] = setup.authority.requestsTo("workloadExchange");
    expect(two?.form().get("assertion")).not.toBe(one?.form().get("assertion"));
  });

  it("is exchanged again after half of a short life", async () => {
    const setup = await openFileIdentity({ settings: { workloadTokenSeconds: 20 } });
    await withManager(setup, (manager) =>
      Effect.gen(function* () {
        yield* manager.current;
        yield* later(9_000, manager.current);
        yield* later(11_000, manager.current);
      }),
    );
    expect(setup.authority.count("workloadExchange")).toBe(2);
  });

  it("serves its token while the endpoint is down, and never past its end", async () => {
    const setup = await openFileIdentity();
    const { first, stillGood, error } = await withManager(setup, (manager) =>
      Effect.gen(function* () {
        const first = tokenOf(yield* manager.current);
        setup.authority.behave("workloadExchange", { status: 400, body: "no" });
        const stillGood = tokenOf(yield* later(3_500_000, manager.current));
        const error = yield* later(3_601_000, Effect.flip(manager.current));
        return { first, stillGood, error };
      }),
    );
    expect(stillGood).toBe(first);
    expect(error.code).toBe("LOGIN_WORKLOAD_IDENTITY_REJECTED");
  });

  it("pauses after a refusal, and then tries again", async () => {
    const setup = await openFileIdentity();
    const { authority } = setup;
    const undo = authority.behave("workloadExchange", { status: 400, body: '{"error":"secret"}' });
    const credential = await withManager(setup, (manager) =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(manager.current);
        expect(error.message).toBe(
          "the workload identity token exchange was rejected with HTTP 400",
        );
        yield* Effect.flip(manager.current);
        yield* later(29_000, Effect.flip(manager.current));
        expect(authority.count("workloadExchange")).toBe(1);
        undo();
        return yield* later(31_000, manager.current);
      }),
    );
    expect(Option.getOrThrow(credential)._tag).toBe("WorkloadIdentity");
    expect(authority.count("workloadExchange")).toBe(2);
  });

  it("tries three times if the endpoint fails for a moment", async () => {
    const setup = await openFileIdentity();
    setup.authority.behave("workloadExchange", { status: 503 }, { times: 2 });
    expect((await current(setup))?._tag).toBe("WorkloadIdentity");
    expect(setup.authority.count("workloadExchange")).toBe(3);
  });

  it("is exchanged once more after a 401, for all callers, and not again soon", async () => {
    const setup = await openFileIdentity();
    await withManager(setup, (manager) =>
      Effect.gen(function* () {
        const first = Option.getOrThrow(yield* manager.current);
        const [one, two] = yield* Effect.all(
          [manager.recoverUnauthorized(first), manager.recoverUnauthorized(first)],
          { concurrency: "unbounded" },
        );
        expect(tokenOf(one)).not.toBe(tokenOf(Option.some(first)));
        expect(tokenOf(two)).toBe(tokenOf(one));
        const again = manager.recoverUnauthorized(Option.getOrThrow(one));
        expect((yield* Effect.flip(again)).code).toBe("LOGIN_NEW_CREDENTIAL_REJECTED");
      }),
    );
    expect(setup.authority.count("workloadExchange")).toBe(2);
  });

  it("refuses a token of another account than the first one", async () => {
    const setup = await openFileIdentity();
    const error = await withManager(setup, (manager) =>
      Effect.gen(function* () {
        yield* manager.current;
        const other = setup.authority.createAccount();
        setup.authority.addFederationRule({ id: setup.rule, account: other });
        return yield* later(3_601_000, Effect.flip(manager.current));
      }),
    );
    expect(error.code).toBe("LOGIN_WORKLOAD_IDENTITY_CHANGED");
  });

  it("is exchanged by an inspection, which does not make it current", async () => {
    const setup = await openFileIdentity();
    const inspection = await withManager({ ...setup, options: { loadAtStart: false } }, (manager) =>
      Effect.tap(manager.inspect, () =>
        Effect.sync(() => expect(manager.snapshot()).toEqual(Option.none())),
      ),
    );
    expect(Option.getOrThrow(inspection).credential._tag).toBe("WorkloadIdentity");
  });

  it.each([
    ["forced_login_method=api", "API key login is required"],
    [
      'forced_chatgpt_workspace_id=["acct-8", "acct-9"]',
      "Login is restricted to workspace(s) acct-8, acct-9, but current credentials belong to ACCOUNT",
    ],
  ])("is refused by %s after the exchange, and auth.json stays", async (rule, message) => {
    const setup = await openFileIdentity();
    await setup.home.write({ OPENAI_API_KEY: "sk-stored" });
    const error = await failure({ ...setup, config: [...(setup.config ?? []), rule] });
    expect(error.message).toBe(message.replace("ACCOUNT", setup.authority.account.accountId));
    expect(setup.home.isSignedIn()).toBe(true);
  });

  it("is refused by logins and logouts, which would change nothing", async () => {
    const setup = await openFileIdentity();
    const codes = await withManager(setup, (manager) =>
      Effect.all([
        Effect.map(Effect.flip(manager.checkLogin("chatgpt")), ({ code }) => code),
        Effect.map(Effect.flip(manager.logout), ({ code }) => code),
      ]),
    );
    expect(codes).toEqual([
      "LOGIN_ENVIRONMENT_CREDENTIAL_OVERRIDES",
      "LOGIN_ENVIRONMENT_CREDENTIAL_OVERRIDES",
    ]);
  });

  it("never falls back to a stored credential", async () => {
    const home = await openHome();
    await home.write({ OPENAI_API_KEY: "sk-stored" });
    const error = await failure({ home, env: { OPENAI_FEDERATION_RULE_ID: "" } });
    expect(error.message).toBe("workload identity variable OPENAI_FEDERATION_RULE_ID is invalid");
  });
});
