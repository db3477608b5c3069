import type { Credential, CredentialFacts, CredentialSource } from "@agent-auth/login/credential";
import { describeSource } from "@agent-auth/login/errors";
import * as Redacted from "effect/Redacted";
import { mask, printable } from "../terminal/safe-text.ts";
import { formatRows } from "../terminal/layout.ts";
import { timeText } from "../terminal/time.ts";

/** The first line of `login status`, as Codex words it (docs/protocol.md §13). */
const headlines: Readonly<Record<Exclude<Credential["_tag"], "ApiKey">, string>> = {
  Chatgpt: "Logged in using ChatGPT",
  ExternalChatgpt: "Logged in using ChatGPT",
  AgentIdentity: "Logged in using access token",
  PersonalAccessToken: "Logged in using personal access token",
  WorkloadIdentity: "Logged in using workload identity",
  Bearer: "Logged in using access token",
};

/** The lines that describe a credential to a person. */
export const credentialLines = (credential: CredentialFacts, nowMs: number): readonly string[] => [
  ...headline(credential),
  ...formatRows(detailRows(credential, nowMs)),
];

const headline = (credential: CredentialFacts): readonly string[] =>
  credential._tag === "ApiKey"
    ? [
        `API key configured - ${printable(mask(Redacted.value(credential.apiKey)))}`,
        "Authentication is checked when you send a request.",
      ]
    : [headlines[credential._tag]];

type Row = readonly [name: string, value: string];

const detailRows = (credential: CredentialFacts, nowMs: number): readonly Row[] => {
  const { email, userId, accountId, planType } = credential.account;
  const person = email ?? userId;
  const expiresAtMs = expiryOf(credential);
  return [
    ...(person === undefined ? [] : [["account", person] as const]),
    ...(accountId === undefined ? [] : [["workspace", accountId] as const]),
    ...(planType === undefined ? [] : [["plan", planType] as const]),
    ["source", describeSource(credential.source)],
    ...(credential.source._tag === "Store" ? [["codex", "does not read this store"] as const] : []),
    ...(expiresAtMs === null ? [] : [["expires", timeText(expiresAtMs, nowMs)] as const]),
  ];
};

/** When a credential expires, in milliseconds since the epoch; `null` if it does not say. */
export const expiryOf = (credential: CredentialFacts): number | null =>
  "expiresAtMs" in credential ? (credential.expiresAtMs ?? null) : null;

const methods: Readonly<Record<Credential["_tag"], string>> = {
  ApiKey: "apiKey",
  Chatgpt: "chatgpt",
  ExternalChatgpt: "externalChatgpt",
  AgentIdentity: "agentIdentity",
  PersonalAccessToken: "personalAccessToken",
  WorkloadIdentity: "workloadIdentity",
  Bearer: "bearer",
};

/** The name of a credential's kind in JSON answers. */
export const methodOf = (credential: CredentialFacts): string => methods[credential._tag];

/** The owner of a credential, as documented in docs/json-output.md. Unknown facts are `null`. */
export const accountJson = (credential: CredentialFacts) => {
  const { account } = credential;
  return {
    accountId: account.accountId ?? null,
    userId: account.userId ?? null,
    email: account.email ?? null,
    plan: account.planType ?? null,
    isFedramp: account.isFedrampAccount,
  };
};

/** Where a credential was found, as documented in docs/json-output.md. */
export const sourceJson = (source: CredentialSource) => {
  switch (source._tag) {
    case "Environment":
      return { kind: "environment", variable: source.variable };
    case "File":
      return { kind: "file", path: source.path };
    case "Keyring":
      return { kind: "keyring", service: source.service, account: source.account };
    case "Ephemeral":
      return { kind: "ephemeral" };
    case "Store":
      return { kind: "store", name: source.name, where: source.where };
    case "WorkloadIdentity":
      return {
        kind: "workloadIdentity",
        identitySource: source.identitySource,
        setting: source.setting,
      };
    case "External":
      return { kind: "external", name: source.name };
  }
};
