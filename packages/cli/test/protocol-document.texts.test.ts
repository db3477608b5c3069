// The texts of docs/protocol.md that scripts compare, and the headers and parameters that servers do.
import { assertionScheme } from "@agent-auth/agent-identity/assertion";
import { defaultChatgptBaseUrl } from "@agent-auth/agent-identity/urls";
import type { Credential } from "@agent-auth/login/credential";
import {
  LoginMethodDisabled,
  RefreshAccountChanged,
  RefreshRejected,
  WorkspaceNotAllowed,
} from "@agent-auth/login/errors";
import { checkRestrictions, type Restrictions } from "@agent-auth/login/config/restrictions";
import { authHeaders } from "@agent-auth/model-provider/signing/headers";
import { resolveProvider } from "@agent-auth/model-provider/provider";
import { defaultClientId, defaultIssuer } from "@agent-auth/login/oauth/authority";
import type { RefreshReason } from "@agent-auth/login/manager";
import { signInWithBrowser } from "@agent-auth/login/promises";
import * as Effect from "effect/Effect";
import * as Redacted from "effect/Redacted";
import * as Result from "effect/Result";
import { describe, expect, it } from "vitest";
import {
  packageFiles,
  quoted,
  quotedIn,
  section,
  tableUnder,
  textOf,
} from "./support/protocol-document.ts";

const secret = (text: string) => Redacted.make(text);
const account = { accountId: "ws-9", isFedrampAccount: false };
const source = { _tag: "Ephemeral" } as const;
const apiKey = (key: string): Credential => ({
  _tag: "ApiKey",
  apiKey: secret(key),
  account: { isFedrampAccount: false },
  source,
});
const agent: Credential = {
  _tag: "AgentIdentity",
  form: "record",
  record: {
    agentRuntimeId: "agent-123",
    privateKey: secret("unused"),
    accountId: "ws-9",
    planType: "business",
    isFedrampAccount: false,
  },
  account,
  signer: {
    agentRuntimeId: "agent-123",
    taskId: "task-123",
    authorizationAt: () => `${assertionScheme} e30`,
  },
  source,
};
const accessToken = (of: Partial<typeof account> = account): Credential => ({
  _tag: "PersonalAccessToken",
  token: secret("at-fake"),
  account: { isFedrampAccount: false, ...of },
  source,
});

const namesOf = (credential: Credential) =>
  Object.keys(Result.getOrThrow(authHeaders(credential, 0)));

describe("§8 of docs/protocol.md", () => {
  const table = tableUnder("credential", section(8));
  const namesIn = (row: number) =>
    quoted(table[row]?.[1] ?? "").map((header) => header.split(":")[0]);

  it("has the headers of each kind of credential", () => {
    expect(namesOf(apiKey("sk-fake"))).toEqual(namesIn(0));
    expect(namesOf(accessToken())).toEqual(namesIn(1));
    expect(namesOf(accessToken({}))).toEqual(namesIn(0));
    expect(namesOf(agent)).toEqual(namesIn(2));
    const isFedrampAccount = true;
    expect(namesOf(accessToken({ ...account, isFedrampAccount }))).toEqual([
      ...namesIn(1),
      ...namesIn(3),
    ]);
    const prefix = quoted(table[3]?.[0] ?? "")[0];
    expect(namesOf(apiKey(`${prefix}fake`))).toEqual([...namesIn(0), ...namesIn(3)]);
  });
});

describe("§9 of docs/protocol.md", () => {
  it("has the parameters of the authorize URL in their order, and the constants", async () => {
    const controller = new AbortController();
    let url = new URL("http://unset");
    await signInWithBrowser({
      variables: {},
      ports: [0],
      allowedWorkspaceIds: ["ws-1"],
      signal: controller.signal,
      onAuthorizeUrl: (prompt) => {
        url = new URL(prompt.url);
        controller.abort();
      },
    }).catch(() => undefined);
    expect(quotedIn(0, tableUnder("parameter", section(9)))).toEqual([...url.searchParams.keys()]);
    for (const value of [url.searchParams.get("scope"), defaultIssuer, defaultClientId])
      expect(quoted(section(9))).toContain(value);
  });

  it("has the reasons for a refresh, and the codes that end a sign-in, with their texts", () => {
    const reasons: readonly RefreshReason[] = [
      "proactive_expiry",
      "scheduled",
      "unauthorized_recovery",
      "forced",
    ];
    const list = /^`refresh_reason` is (.*?)\. /msu.exec(section(9))?.[1] ?? "";
    expect(quoted(list)).toEqual(reasons);
    const documented = new Map(
      tableUnder("refused with", section(9)).map(([when = "", text = ""]) => [
        quoted(when)[0] ?? when,
        quoted(text)[0],
      ]),
    );
    expect(Object.fromEntries(documented)).toEqual({
      refresh_token_expired: new RefreshRejected({ reason: "expired" }).message,
      refresh_token_reused: new RefreshRejected({ reason: "reused" }).message,
      refresh_token_invalidated: new RefreshRejected({ reason: "revoked" }).message,
      "any other 401": new RefreshRejected({ reason: "other" }).message,
      "(another account is stored)": new RefreshAccountChanged({}).message,
    });
  });
});

const complaint = async (config: Restrictions, credential: Credential) =>
  (await Effect.runPromise(Effect.flip(checkRestrictions(config, credential)))).message;

describe("§10 of docs/protocol.md", () => {
  const one = { forcedWorkspaceIds: ["ws-1"] };
  const two = { forcedWorkspaceIds: ["ws-1", "ws-2"] };

  it("has the texts, to the letter", async () => {
    expect(quotedIn(2, tableUnder("setting", section(10)))).toEqual([
      await complaint({ forcedLoginMethod: "api" }, accessToken()),
      await complaint({ forcedLoginMethod: "chatgpt" }, apiKey("sk-fake")),
      await complaint(one, accessToken()),
      await complaint(two, accessToken()),
      await complaint(one, accessToken({})),
    ]);
    expect(quotedIn(2, tableUnder("login", section(10)))).toEqual([
      new LoginMethodDisabled({ method: "apiKey" }).message,
      new LoginMethodDisabled({ method: "chatgpt" }).message,
      new LoginMethodDisabled({ method: "accessToken" }).message,
      new WorkspaceNotAllowed({ allowed: two.forcedWorkspaceIds }).message,
    ]);
  });
});

describe("§12 and §13 of docs/protocol.md", () => {
  it("has the base URLs of API keys", () => {
    const config = {
      chatgptBaseUrl: defaultChatgptBaseUrl,
      modelProviders: new Map<string, never>(),
    };
    const provider = resolveProvider({ config, environment: { variable: () => undefined } });
    const { targets } = Result.getOrThrow(provider);
    const table = tableUnder("credential", section(12));
    expect([table[0]?.[1], table[1]?.[1]]).toEqual([
      `\`${targets.apiKey.baseUrl}\``,
      `\`${targets.fedrampApiKey.baseUrl}\``,
    ]);
  });

  it("has only texts of the command line that another test compares", () => {
    const tests = packageFiles("*/test/**/*.test.ts");
    const compared = textOf(tests.filter(({ path }) => !path.includes("protocol-document")));
    const texts = [
      ...quotedIn(1, tableUnder("command", section(13))),
      ...quotedIn(0, tableUnder("text", section(13))),
    ];
    // The part that varies, and what a test puts together from flag, noun and example.
    const parts = texts.flatMap((text) => text.split(/…|<\w+>|^--with-api-key|the API key on/u));
    const fixed = parts.map((part) => part.trim()).filter((part) => part !== "");
    expect(fixed.length).toBeGreaterThan(25);
    expect(fixed.filter((part) => !compared.includes(part))).toEqual([]);
  });
});
