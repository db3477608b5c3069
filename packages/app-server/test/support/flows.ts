import * as Clock from "effect/Clock";
import * as Context from "effect/Context";
import * as Duration from "effect/Duration";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "vitest";
import {
  afterAnswer,
  all,
  answers,
  type Deviation,
  inServer,
  invalid,
  updated,
  without,
  withoutRequests,
  withoutSent,
} from "./deviations.ts";
import type { FlowSetup, Stage } from "./replay.ts";
import { isMessage, type Message, type TranscriptEvent } from "./transcript.ts";

/** A flow that is replayed, with what its driver did and how this server deviates. */
export interface Flow extends FlowSetup {
  readonly deviations?: ReadonlyArray<Deviation>;
}

/** The second token that the client lends is of another workspace of the same user. */
const secondOf =
  (accountId: string) =>
  async ({ authority }: Stage, name: string): Promise<string> => {
    const account =
      name === "<jwt 2>"
        ? authority.createAccount({ ...authority.account, accountId })
        : authority.account;
    const accessTokenClaims = { email: account.email };
    return (await authority.mintChatgptTokens({ account, accessTokenClaims })).accessToken;
  };

const apiKey = "sk-proj-1234567890ABCDE";
const apiKeyFile = { auth_mode: "apikey", OPENAI_API_KEY: apiKey };
const storedApiKey = ({ writeAuthJson }: Stage): Promise<void> => writeAuthJson(apiKeyFile);

/** Writes the auth.json that a ChatGPT sign-in leaves. */
const storedChatgpt =
  (options: { readonly expiresInSeconds?: number; readonly lastRefresh?: string } = {}) =>
  async ({ authority, writeAuthJson }: Stage): Promise<void> => {
    const { lastRefresh = new Date().toISOString(), ...rest } = options;
    const claims = { email: authority.account.email };
    const tokens = await authority.mintChatgptTokens({ accessTokenClaims: claims, ...rest });
    await writeAuthJson({
      auth_mode: "chatgpt",
      OPENAI_API_KEY: null,
      tokens: {
        id_token: tokens.idToken,
        access_token: tokens.accessToken,
        refresh_token: tokens.refreshToken,
        account_id: tokens.accountId,
      },
      last_refresh: lastRefresh,
    });
  };

const agentJwt = ({ authority }: Stage): Promise<string> =>
  authority.mintAgentIdentityJwt({
    email: "agent@example.test",
    account: { ...authority.account, email: "agent@example.test" },
  });

const personalToken = ({ authority }: Stage): string =>
  authority.mintPersonalAccessToken({
    account: authority.createAccount({
      accountId: "acct-1",
      userId: "user-pat",
      email: "pat@example.test",
      planType: "pro",
      workspaceName: "Lab",
    }),
  });

/** An event in which the workspace is another one. */
const withAccount = (event: TranscriptEvent, accountId: string): TranscriptEvent => {
  const changed: TranscriptEvent = JSON.parse(
    JSON.stringify(event).replaceAll('"acct-1"', JSON.stringify(accountId)),
  );
  return changed;
};

const stringOf = (result: unknown, key: string): string =>
  typeof result === "object" && result !== null
    ? String(Object.entries(result).find(([name]) => name === key)?.[1])
    : "";

/** Approves the login that was started by the request with this key, as a person with a browser. */
const browse =
  (key: string, options: { readonly isHosted?: boolean } = {}) =>
  async ({ authority, resultOf }: Stage): Promise<void> => {
    const callback = authority.decideSignIn(stringOf(resultOf(key), "authUrl"));
    const response = await fetch(callback, { redirect: "manual" });
    const to = response.headers.get("location");
    if (to !== null && options.isHosted !== true) await fetch(new URL(to, callback));
  };

const enterCode = ({ authority, resultOf }: Stage): void => {
  authority.decideDevice(stringOf(resultOf("A2"), "userCode"), { decision: "approve" });
};

/** A clock on which sleeps pass a hundred times as fast, for the ten seconds of a client's answer. */
const fastClock = (): Context.Context<never> => {
  const clock = Context.get(Context.empty(), Clock.Clock);
  const fast: Clock.Clock = {
    currentTimeMillisUnsafe: () => clock.currentTimeMillisUnsafe(),
    currentTimeMillis: clock.currentTimeMillis,
    currentTimeNanosUnsafe: () => clock.currentTimeNanosUnsafe(),
    currentTimeNanos: clock.currentTimeNanos,
    monotonicTimeNanosUnsafe: () => clock.monotonicTimeNanosUnsafe(),
    monotonicTimeNanos: clock.monotonicTimeNanos,
    sleep: (duration) => clock.sleep(Duration.millis(Duration.toMillis(duration) / 100)),
  };
  return Context.add(Context.empty(), Clock.Clock, fast);
};

const noRoute = { error: "lab: no such route" };
const usagePayload = {
  plan_type: "pro",
  rate_limit: {
    allowed: true,
    limit_reached: false,
    primary_window: {
      used_percent: 12,
      limit_window_seconds: 18_000,
      reset_after_seconds: 100,
      reset_at: 1_800_000_000,
    },
    secondary_window: {
      used_percent: 34,
      limit_window_seconds: 604_800,
      reset_after_seconds: 100,
      reset_at: 1_800_500_000,
    },
  },
  additional_rate_limits: [
    {
      limit_name: "codex_other",
      metered_feature: "codex_other",
      rate_limit: {
        allowed: true,
        limit_reached: false,
        primary_window: {
          used_percent: 88,
          limit_window_seconds: 1_800,
          reset_after_seconds: 100,
          reset_at: 1_800_000_100,
        },
        secondary_window: null,
      },
    },
  ],
  credits: { has_credits: true, unlimited: false, balance: "9.99" },
};

const workspace = (id: string, name: string, structure: string) => ({
  id,
  name,
  structure,
  workspace_backend_origin: "NO_CONSTRAINT",
  account_routing_override: "NO_CONSTRAINT",
});

const bodyText = ({ body }: { readonly body?: unknown }): string =>
  typeof body === "string" ? body : "";

/** The user's two workspaces, as the recordings' authority described them. */
const twoWorkspaces = ({ authority }: Stage): void => {
  authority.createAccount({ ...authority.account, accountId: "acct-2" });
  const accounts = [
    workspace("acct-1", "Mine", "personal"),
    workspace("acct-2", "Team", "workspace"),
  ];
  authority.behave("accountsCheck", { respond: () => json(200, { accounts }) });
};

const json = (status: number, body: unknown) => ({
  status,
  headers: { "content-type": "application/json" },
  body: JSON.stringify(body),
});

/** Answers the backend's other endpoints as the authority of the recordings did. */
const backend =
  (routes: Readonly<Record<string, ReturnType<typeof json>>>) =>
  ({ authority }: Stage): void => {
    authority.behave("unknown", {
      respond: ({ path }) => {
        const found = Object.entries(routes).find(([end]) => path.endsWith(end));
        return found === undefined ? json(404, noRoute) : found[1];
      },
    });
  };

const refusedByName = (what: string, area: string) =>
  invalid(`${what} is not supported: this server does not implement ${area}`);
const signedOut = {
  result: { account: null, userId: null, requiresOpenaiAuth: true, workspaceRouting: null },
};
const noStatus = { result: { authMethod: null, authToken: null, requiresOpenaiAuth: true } };
const overridden = invalid(
  "CODEX_ACCESS_TOKEN is set and is used instead of anything stored; nothing was changed",
);

const environmentWins: Deviation["apply"] = all(
  withoutSent("account/login/completed"),
  without(
    ({ dir }, message) =>
      dir === "<" &&
      message?.method === "account/updated" &&
      JSON.stringify(message.params).includes('"reason":null'),
  ),
  answers({ A4: overridden, A7: overridden }),
);

/** The gateway of the recordings, below the authority. */
const gatewayConfig = ({ authority }: Stage): string =>
  [
    'model_provider = "gw"',
    "[model_providers.gw]",
    'name = "Gateway"',
    `base_url = "${authority.url}/gateway/v1"`,
    'wire_api = "responses"',
    "[model_providers.gw.gateway_oauth]",
    `authorization_url = "${authority.url}/gateway/authorize"`,
    `device_authorization_url = "${authority.url}/gateway/device"`,
    `token_url = "${authority.url}/gateway/token"`,
    'client_id = "gw-client"',
    'scopes = ["models"]',
    'credentials_store = "file"',
    "",
  ].join("\n");

const isThread = (message: Message | undefined): boolean =>
  message?.method === "thread/start" || message?.method === "turn/start";

/** Starting a thread, and a turn without a sign-in, repeat the status of the gateway. */
const withoutTurns = (conn: string): Deviation => ({
  reason: "turns need a model provider",
  apply: (events) => {
    const ids = events.flatMap((event) => {
      const message = isMessage(event.msg) ? event.msg : undefined;
      return event.conn === conn && isThread(message) ? [`${conn}${message?.id}`] : [];
    });
    return withoutRepeated(withoutRequests(...ids)(events)).filter(
      ({ msg }) => !isMessage(msg) || msg.method !== "turn/completed",
    );
  },
});

const withoutRepeated: Deviation["apply"] = (events) => {
  let last = "";
  return events.filter(({ msg }) => {
    if (!isMessage(msg) || msg.method !== "account/gatewayOAuth/changed") return true;
    const isRepeated = JSON.stringify(msg.params) === last;
    last = JSON.stringify(msg.params);
    return !isRepeated;
  });
};

/** The plan claims of flow 60, in order, with the plans that they mean. Codex asks for managed configuration from `business`. */
const plans: ReadonlyArray<readonly [claim: string, plan: string]> = [
  ...["free", "go", "plus", "pro", "prolite", "promax", "team"].map(same),
  ...["self_serve_business_prolite", "self_serve_business_usage_based"].map(same),
  ...["business", "ent26", "enterprise_cbp_automation", "enterprise_cbp_usage_based"].map(same),
  ...["enterprise", "edu", "edu_plus", "edu_pro", "sci", "sci_plus"].map(same),
  ["hc", "enterprise"],
  ["education", "edu"],
  ["PRO", "pro"],
  ...["k12", "quorum", "guest", "unknown", ""].map((claim) => [claim, "unknown"] as const),
];

function same(plan: string): readonly [string, string] {
  return [plan, plan];
}

export const flows: Readonly<Record<string, Flow>> = {
  "01-initialize": {},
  "02-login-apikey": {},
  "04-login-chatgpt": { after: { A2: browse("A2") } },
  "05-login-chatgpt-hosted-page": {
    after: {
      A2: browse("A2", { isHosted: true }),
      A3: browse("A3", { isHosted: true }),
      A4: browse("A4", { isHosted: true }),
    },
  },
  "06-login-chatgpt-cancel": {},
  "08-login-keeps-old": {},
  "09-login-device": { after: { A2: enterCode } },
  "11-tokens": { jwt: secondOf("acct-2") },
  "12-tokens-not-experimental": {},
  "14-tokens-refresh": {
    before: ({ authority }) => authority.behave("responses", { status: 401 }, { times: 1 }),
  },
  "15-tokens-refresh-error": {
    before: ({ authority }) => authority.behave("responses", { status: 401 }),
  },
  "17-tokens-refresh-silent": {
    before: ({ authority }) => authority.behave("responses", { status: 401 }, { times: 1 }),
    context: fastClock(),
  },
  "18-tokens-over-stored": { before: storedApiKey },
  "20-restriction-browser": { after: { A2: browse("A2") } },
  "21-restriction-stored": {
    before: storedChatgpt(),
    check: ({ authority }) => expect(authority.count("responses")).toBe(0),
  },
  "22-read-agent": {
    before: async (stage) =>
      stage.writeAuthJson({ auth_mode: "agentIdentity", agent_identity: await agentJwt(stage) }),
  },
  "22-read-apikey": { before: storedApiKey },
  "22-read-chatgpt": {
    before: storedChatgpt(),
    check: ({ authority }) => expect(authority.count("refresh")).toBe(2),
  },
  "22-read-pat": {
    before: (stage) => stage.writeAuthJson({ personal_access_token: personalToken(stage) }),
  },
  "23-read-refresh-failures": {
    before: async (stage) => {
      await storedChatgpt({ expiresInSeconds: -10 })(stage);
      stage.authority.behave("refresh", { status: 500 });
    },
    after: {
      A3: ({ authority }) => {
        authority.resetBehaviour("refresh");
        authority.behave("refresh", { status: 401 });
      },
    },
    deviations: [
      {
        reason: "nothing is sent with a credential that has expired and cannot be refreshed",
        apply: answers({
          A6: {
            error: {
              code: -32603,
              message:
                "Your access token could not be refreshed. Please log out and sign in again.",
            },
          },
        }),
      },
    ],
  },
  "24-env": {
    env: async (stage, server) => {
      const token = [
        () => undefined,
        () => undefined,
        () => personalToken(stage),
        () => agentJwt(stage),
        () => "garbage",
      ][server]?.();
      return server === 0
        ? { CODEX_API_KEY: "sk-env-1234567890" }
        : server === 1
          ? { OPENAI_API_KEY: "sk-env-1234567890" }
          : { CODEX_ACCESS_TOKEN: await token };
    },
    deviations: [
      {
        reason:
          "a login or logout that CODEX_ACCESS_TOKEN would override is refused, instead of a success that changes nothing",
        apply: all(
          inServer(3, environmentWins),
          inServer(4, environmentWins),
          inServer(5, environmentWins),
        ),
      },
    ],
  },
  "25-external-change": {
    before: storedApiKey,
    after: {
      A3: ({ writeAuthJson }) =>
        writeAuthJson({ ...apiKeyFile, OPENAI_API_KEY: "sk-other-1234567890" }),
      A6: ({ removeAuthJson }) => removeAuthJson(),
    },
    deviations: [
      {
        reason: "a change of auth.json by another program is noticed within a second, and notified",
        apply: all(
          withoutRequests("A7", "A8"),
          afterAnswer("A3", [updated("apikey")]),
          afterAnswer("A6", [updated(null)]),
          answers({
            A9: signedOut,
            A10: noStatus,
            A5: {
              result: {
                authMethod: "apikey",
                authToken: "sk-other-1234567890",
                requiresOpenaiAuth: true,
              },
            },
          }),
        ),
      },
    ],
  },
  "27-opt-out": {},
  "36-multi-client-login": {},
  "37-disconnect-during-login": {
    after: { "closed:A": browse("A2"), "closed:C": browse("C3") },
    deviations: [
      {
        reason: "the routing of a sign-in is announced once, not once for each token",
        apply: without(
          ({ conn }, message) => conn === "C" && message?.method === "account/updated",
        ),
      },
    ],
  },
  "39-tokens-refresh-race": {
    jwt: secondOf("acct-A"),
    before: ({ authority }) => authority.behave("responses", { status: 401 }, { times: 1 }),
    deviations: [
      {
        reason: "only the connection that lent tokens is asked for new ones",
        apply: without(
          (event, message) =>
            message?.method === "turn/completed" || (event.conn === "B" && message?.id === 0),
        ),
      },
      {
        reason: "lent tokens end with their owner, unless asked otherwise",
        apply: (events) =>
          events.flatMap((event) =>
            event.conn === "A" && event.closed === true
              ? [event, { conn: "B", dir: "<", msg: updated(null) }]
              : [event],
          ),
      },
      {
        reason: "the answer of the owner counts, so the account of its answer is announced",
        apply: (events) =>
          events.flatMap((event) => {
            const message = isMessage(event.msg) ? event.msg : undefined;
            const isAnswer = event.dir === ">" && message?.id === 0 && message.result !== undefined;
            return isAnswer
              ? [
                  event,
                  ...["A", "B"].map((conn) => ({
                    conn,
                    dir: "<" as const,
                    msg: updated("chatgptAuthTokens", "pro"),
                  })),
                ]
              : [
                  event.dir === "<" && event.conn === "A" && message?.id === 5
                    ? withAccount(event, "acct-A")
                    : event,
                ];
          }),
      },
    ],
  },
  "40-rate-limits": { before: backend({ "/wham/usage": json(200, usagePayload) }) },
  "42-bedrock": {
    deviations: [
      {
        reason: "Amazon Bedrock is refused by name",
        apply: all(
          answers({
            A2: refusedByName("account/bedrock/discover", "Amazon Bedrock"),
            A3: refusedByName("account/login/start.amazonBedrock", "Amazon Bedrock"),
            A4: refusedByName("account/login/start.amazonBedrock", "Amazon Bedrock"),
            A5: signedOut,
            A6: noStatus,
            A8: refusedByName("account/login/start.amazonBedrockAccessKeys", "Amazon Bedrock"),
            A9: signedOut,
            A10: noStatus,
            A11: refusedByName("account/bedrock/checkGovCloudRequirements", "Amazon Bedrock"),
            A13: {
              result: {
                account: { type: "apiKey" },
                userId: null,
                requiresOpenaiAuth: true,
                workspaceRouting: null,
              },
            },
            A14: { result: { authMethod: "apikey", authToken: apiKey, requiresOpenaiAuth: true } },
            A15: refusedByName("account/bedrock/setup", "Amazon Bedrock"),
            A16: {
              result: {
                account: { type: "apiKey" },
                userId: null,
                requiresOpenaiAuth: true,
                workspaceRouting: null,
              },
            },
            A17: { result: { authMethod: "apikey", authToken: apiKey, requiresOpenaiAuth: true } },
          }),
          withoutSent("account/login/completed", 1, 2),
          without(
            ({ dir }, message) =>
              dir === "<" && JSON.stringify(message?.params ?? "").includes("bedrock"),
          ),
        ),
      },
    ],
  },
  "43-account-sessions": {
    before: async (stage) => {
      await storedChatgpt({ lastRefresh: new Date(1_796_025_716_000).toISOString() })(stage);
      stage.authority.behave("accountsCheck", {
        change: (response) => ({
          ...response,
          body: bodyText(response).replaceAll('"personal"', '"workspace"'),
        }),
      });
    },
  },
  "44-gateway-oauth": {
    configToml: "",
    deviations: [
      {
        reason:
          "a config.toml that cannot be read stops the server with its error, instead of defaults in its place",
        apply: without(({ conn }) => conn === "B"),
      },
    ],
  },
  "45-custom-provider": {
    deviations: [
      {
        reason: "model providers are not part of the account surface",
        apply: withoutRequests("A7", "B4", "B5"),
      },
      {
        reason: "turns need a model provider",
        apply: without((_, message) => message?.method === "turn/completed"),
      },
    ],
  },
  "46-workload-identity": {
    configToml: "",
    configOverrides: ({ authority }) => [
      `agent_auth.workload_identity.token_url="${authority.url}/oauth/token"`,
    ],
    before: async ({ authority, home, writeAuthJson }) => {
      await writeAuthJson(apiKeyFile);
      await writeFile(join(home, "t.jwt"), await authority.mintIdentityToken());
      authority.behave("responses", { status: 401 }, { times: 1 });
    },
    env: ({ authority, home }) => ({
      OPENAI_FEDERATION_RULE_ID: authority.addFederationRule(),
      OPENAI_IDENTITY_TOKEN_FILE: join(home, "t.jwt"),
    }),
    deviations: [
      {
        reason: "a failing exchange is the answer of each call, instead of the end of the server",
        apply: without(({ conn }) => conn === "B"),
      },
    ],
  },
  "49-concurrent-requests": {
    before: storedChatgpt({ expiresInSeconds: 60 }),
    check: ({ authority }) => expect(authority.count("refresh")).toBe(1),
  },
  "51-gateway-oauth": { configToml: gatewayConfig, deviations: [withoutTurns("A")] },
  "51-gateway-oauth-success": {
    configToml: gatewayConfig,
    notified: {
      "account/gatewayOAuth/changed": async ({ authority }, params) => {
        const callback = await fetch(stringOf(params, "authUrl"), { redirect: "manual" });
        await fetch(callback.headers.get("location") ?? authority.url);
      },
    },
    deviations: [
      withoutTurns("file"),
      {
        reason:
          "credentials that only Codex can read are refused before the user is sent to a browser",
        apply: without(({ conn }) => conn === "default"),
      },
    ],
  },
  "52-account-session-switch": {
    before: async (stage) => {
      await storedChatgpt()(stage);
      twoWorkspaces(stage);
      stage.authority.behave("switchWorkspace", { status: 404 });
    },
  },
  "52-account-session-switch-success": {
    before: async (stage) => {
      await storedChatgpt()(stage);
      twoWorkspaces(stage);
    },
    after: {
      "start:1": async (stage) => {
        await storedChatgpt()(stage);
        stage.authority.behave("switchWorkspace", { status: 403 });
      },
    },
  },
  "53-login-issuer-env": {
    issuer: "https://chatgpt-staging.com",
    env: ({ authority }) => ({ CODEX_APP_SERVER_LOGIN_ISSUER: authority.issuer }),
  },
  "59-managed-requirements": {
    after: {
      "start:0": storedChatgpt(),
      "start:1": storedApiKey,
      "start:2": storedApiKey,
      "start:3": storedApiKey,
    },
    deviations: [
      {
        reason: "without a login method that is allowed, the configuration cannot be loaded",
        apply: (events) => withoutServer(3, withoutServer(6, events)),
      },
      {
        reason: "configRequirements/read is not part of the account surface",
        apply: withoutRequests("A2"),
      },
      {
        reason: "the routing of a stored sign-in is asked for when it is first used",
        apply: inServer(1, withoutSent("account/updated", 1)),
      },
    ],
  },
  "60-plans": {
    jwt: async ({ authority }, name) => {
      const [plan = ""] = plans[Number(name.slice(5, -1)) - 1] ?? [];
      const auth = {
        chatgpt_plan_type: plan,
        chatgpt_account_id: "acct-1",
        chatgpt_user_id: "user-1",
      };
      const tokens = await authority.mintChatgptTokens({
        accessTokenClaims: {
          email: authority.account.email,
          "https://api.openai.com/auth": auth,
        },
      });
      return tokens.accessToken;
    },
    deviations: [
      {
        reason: "no managed configuration is asked for when tokens are lent",
        apply: (events) => {
          const completed = {
            method: "account/login/completed",
            params: { loginId: null, success: true, error: null, onboardingEntrypoint: null },
          };
          let next = 0;
          return events
            .filter(({ msg }) => !JSON.stringify(msg ?? "").includes('"account/updated"'))
            .flatMap((event) =>
              JSON.stringify(event.msg ?? "").includes('"account/login/completed"')
                ? [completed, updated("chatgptAuthTokens", plans[next++]?.[1])].map((msg) => ({
                    ...event,
                    msg,
                  }))
                : [event],
            );
        },
      },
      { reason: "plan names are compared without regard to case", apply: (events) => events },
    ],
  },
};

/** Leaves out the events of one server of the recording, counted from 1. */
function withoutServer(
  number: number,
  events: ReadonlyArray<TranscriptEvent>,
): ReadonlyArray<TranscriptEvent> {
  return inServer(number, () => [])(events);
}

const byTheCommand = "of the transport: replayed against the command, in packages/cli";

/** Flows of the recordings that are not replayed here, and why. */
export const notReplayed: Readonly<Record<string, string>> = {
  "28-stdio-eof": byTheCommand,
  "30-ws-transport": byTheCommand,
  "31-ws-auth-capability-file": byTheCommand,
  "32-ws-auth-sha256": byTheCommand,
  "34-ws-non-loopback": byTheCommand,
  "35-unix-socket": byTheCommand,
  "50-workload-identity-cache": "is about the times of exchanges, which login's tests cover",
  "55-responses-proxy-github-oidc": "is about a proxy: tests of cli and login cover it",
  "56-child-environment": "this server runs no commands; cli's exec removes these variables",
  "57-organization-headers":
    "is about headers of model requests, which model-provider's tests cover",
};
