// The examples of docs/protocol.md, which another implementation may start from: each is what the code reads or makes.
import { assertionMessage, makeAssertionSigner } from "@agent-auth/agent-identity/assertion";
import {
  defaultAudience,
  defaultClockToleranceSeconds,
  defaultIssuer,
} from "@agent-auth/agent-identity/jwt";
import { importAgentKey } from "@agent-auth/agent-identity/keys";
import { planTypes } from "@agent-auth/agent-identity/record/plan";
import {
  parseAgentIdentityClaims,
  parseStoredAgentIdentity,
} from "@agent-auth/agent-identity/record";
import { registrationMessage } from "@agent-auth/agent-identity/tasks";
import {
  defaultChatgptBaseUrl,
  defaultAccountsApiBaseUrl,
  jwksUrl,
} from "@agent-auth/agent-identity/urls";
import { encodeAuthJson, parseAuthJson } from "@agent-auth/login/storage/auth-json";
import { resolveProvider } from "@agent-auth/model-provider/provider";
import * as Effect from "effect/Effect";
import * as Result from "effect/Result";
import { describe, expect, it } from "vitest";
import { blocks, quoted, section, tableUnder } from "./support/protocol-document.ts";

const json = (text: string) => blocks("json", text).map((block): unknown => JSON.parse(block));
const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null;
const without = (value: unknown, ...names: readonly string[]): unknown =>
  isObject(value)
    ? Object.fromEntries(Object.entries(value).filter(([name]) => !names.includes(name)))
    : value;

/** Whether a value reads without these members, and without none of its others. */
const optionalMembers = <E>(read: (value: unknown) => Effect.Effect<unknown, E>, value: unknown) =>
  Object.keys(isObject(value) ? value : {}).filter((name) =>
    Result.isSuccess(Effect.runSync(Effect.result(read(without(value, name))))),
  );

describe("§2 of docs/protocol.md", () => {
  const [file = "", current = "", first = ""] = blocks("json", section(2));

  it("shows an auth.json as it is written, to the byte", async () => {
    const document = await Effect.runPromise(parseAuthJson(file));
    expect(encodeAuthJson(document)).toBe(file);
  });

  it.each([
    ["Codex's", current, ["email", "task_id"]],
    ["the first design's", first, ["chatgpt_user_id", "background_task_id"]],
  ])("shows a record of %s form, and says which members it needs", (_, block, optional) => {
    const record: unknown = JSON.parse(block);
    expect(Effect.runSync(parseStoredAgentIdentity(record)).agentRuntimeId).toBe("agent-123");
    expect(optionalMembers(parseStoredAgentIdentity, record)).toEqual(optional);
  });
});

describe("§5 of docs/protocol.md", () => {
  const examples = tableUnder("base", section(5)).map((row) => row.flatMap((cell) => quoted(cell)));

  it.each(examples)("%s has its keys and model requests there", (base, keys, requests) => {
    const config = { chatgptBaseUrl: base ?? "", modelProviders: new Map<string, never>() };
    const provider = resolveProvider({ config, environment: { variable: () => undefined } });
    expect(Effect.runSync(jwksUrl(base ?? ""))).toBe(keys);
    expect(Result.getOrThrow(provider).targets.chatgpt.baseUrl).toBe(requests);
  });

  it("names the defaults", () => {
    expect(examples.map(([base]) => base)).toContain(defaultChatgptBaseUrl);
    expect(section(5)).toContain(`\`${defaultAccountsApiBaseUrl}\``);
  });
});

const read = (claims: unknown) => parseAgentIdentityClaims(claims, { nowMs: 0 });

describe("§6 of docs/protocol.md", () => {
  const [current, first] = json(section(6));
  const registered = ["iss", "aud", "iat", "exp"];

  it("shows the claims of both designs, and says which of them are needed", () => {
    for (const claims of [current, first])
      expect(claims).toMatchObject({ iss: defaultIssuer, aud: defaultAudience });
    expect(optionalMembers(read, without(current, ...registered))).toEqual(["email"]);
    expect(optionalMembers(read, without(first, ...registered))).toEqual([]);
    expect(Effect.runSync(read(first)).registeredAt).toBe("1970-01-01T00:00:00Z");
  });

  it("has the tolerance, and the plans in their order", () => {
    expect(section(6)).toContain(`clocks may differ by ${defaultClockToleranceSeconds} s`);
    const list = /^Plans, .*?:(.*?)\. `hc`/msu.exec(section(6))?.[1] ?? "";
    expect(quoted(list)).toEqual([...planTypes]);
  });
});

describe("§7 of docs/protocol.md", () => {
  const nowMs = Date.parse("2026-04-13T12:00:00Z");
  const agentRuntimeId = "agent-123";
  const [, stored] = json(section(2));
  const { privateKey } = Effect.runSync(parseStoredAgentIdentity(stored));
  const key = Effect.runSync(importAgentKey(privateKey));

  it("shows what the key of the examples signs", () => {
    const [registration] = json(section(7));
    const timestamp = "2026-04-13T12:00:00Z";
    const signature = key.sign(registrationMessage(agentRuntimeId, timestamp));
    expect(registration).toEqual({ timestamp, signature });
    const [assertion = ""] = blocks("text", section(7));
    const [envelope = "", , header] = assertion.split("\n");
    const signer = makeAssertionSigner({ key, agentRuntimeId, taskId: "task-123" });
    expect(header).toBe(`Authorization: ${signer.authorizationAt(nowMs)}`);
    expect(header).toContain(Buffer.from(envelope).toString("base64url"));
    expect(section(7)).toContain(`\`${key.sshPublicKey}\``);
  });

  it("says what is signed", () => {
    const [id, task, time] = ["<agent_runtime_id>", "<task_id>", "<timestamp>"] as const;
    expect(section(7)).toContain(`signed text is \`${registrationMessage(id, time)}\``);
    expect(section(7)).toContain(`signs \`${assertionMessage(id, task, time)}\``);
  });
});
