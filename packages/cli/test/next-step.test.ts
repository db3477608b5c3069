import * as agentIdentity from "@agent-auth/agent-identity/errors";
import type { Remedy } from "@agent-auth/agent-identity/errors";
import * as login from "@agent-auth/login/errors";
import * as modelProvider from "@agent-auth/model-provider/errors";
import type { ModelProviderErrorCode } from "@agent-auth/model-provider/errors";
import { describe, expect, it } from "vitest";
import { CliError } from "../src/errors/cli-error.ts";
import { nextStep, type Reportable } from "../src/errors/next-step.ts";
import { errorLine, exitCodeOf } from "../src/errors/report.ts";

/** Fields that the errors below read for message, hint and remedy. */
const fields = {
  source: { _tag: "File", path: "/home/ada/auth.json" },
  failure: new agentIdentity.HttpTimedOut({ method: "GET", url: "https://a", timeoutMs: 1 }),
  why: { _tag: "url" },
  reason: "reason",
  rule: "method",
  text: "text",
  status: 400,
  url: "https://a.example",
  problem: "problem",
  allowed: ["ws-1"],
  known: ["openai"],
  places: ["/home/ada/auth.json"],
  ports: [1455, 1457],
  setting: "base_url",
  variable: "VARIABLE",
  providerId: "own",
  id: "own",
  configured: ["azure"],
  where: "/home/ada/config.toml",
  name: "work",
  codexHome: "/home/ada/.codex",
  operation: "save",
};

/** One error of every class that the packages export, by its code. */
const errors: ReadonlyMap<string, Reportable> = new Map(
  [agentIdentity, login, modelProvider]
    .flatMap((module) => Object.values<unknown>(module))
    .flatMap((exported) => {
      const isClass = typeof exported === "function" && exported.prototype instanceof Error;
      if (!isClass) return [];
      const error: unknown = Reflect.construct(exported, [fields]);
      if (!isReportable(error)) return [];
      // A few errors take hint and remedy from their maker.
      const given = { ...fields, hint: "Do it.", remedy: "fixConfig" };
      const whole: unknown = error.remedy ? error : Reflect.construct(exported, [given]);
      return isReportable(whole) ? [[whole.code, whole] as const] : [];
    }),
);

function isReportable(error: unknown): error is Reportable & Error {
  return error instanceof Error && "code" in error && typeof error.code === "string";
}

/** What the next step of every error runs; `null` if it runs none of our commands. The compiler checks that no code is missing. */
const commands: Readonly<Record<ModelProviderErrorCode, string | null>> = {
  AGENT_IDENTITY_ACCESS_TOKEN_UNAVAILABLE: "agent-auth login",
  AGENT_IDENTITY_AGENT_REGISTRATION_REJECTED: null,
  AGENT_IDENTITY_AGENT_REGISTRATION_REQUEST_FAILED: null,
  AGENT_IDENTITY_AGENT_REGISTRATION_RESPONSE_MALFORMED: null,
  AGENT_IDENTITY_ASSERTION_AGENT_MISMATCH: null,
  AGENT_IDENTITY_ASSERTION_AGENT_UNKNOWN: null,
  AGENT_IDENTITY_ASSERTION_LOOKUP_FAILED: null,
  AGENT_IDENTITY_ASSERTION_MALFORMED: null,
  AGENT_IDENTITY_ASSERTION_OUTSIDE_CLOCK_WINDOW: null,
  AGENT_IDENTITY_ASSERTION_REPLAYED: null,
  AGENT_IDENTITY_ASSERTION_SIGNATURE_INVALID: null,
  AGENT_IDENTITY_ASSERTION_TASK_MISMATCH: null,
  AGENT_IDENTITY_BASE_URL_INSECURE: null,
  AGENT_IDENTITY_BASE_URL_INVALID: null,
  AGENT_IDENTITY_BISCUIT_REJECTED: "agent-auth login",
  AGENT_IDENTITY_BISCUIT_REQUEST_FAILED: null,
  AGENT_IDENTITY_CLIENT_CLOSED: null,
  AGENT_IDENTITY_HTTP_BODY_TOO_LARGE: null,
  AGENT_IDENTITY_DISPATCHER_NOT_SUPPORTED: null,
  AGENT_IDENTITY_HTTP_CONFIGURATION_INVALID: null,
  AGENT_IDENTITY_HTTP_CONNECTION_FAILED: "agent-auth doctor",
  AGENT_IDENTITY_HTTP_INSECURE_URL: null,
  AGENT_IDENTITY_HTTP_REDIRECT_NOT_ALLOWED: null,
  AGENT_IDENTITY_HTTP_REQUEST_INVALID: null,
  AGENT_IDENTITY_HTTP_TIMED_OUT: null,
  AGENT_IDENTITY_JWKS_ENDPOINT_ERROR: null,
  AGENT_IDENTITY_JWKS_KEY_NOT_FOUND: null,
  AGENT_IDENTITY_JWKS_MALFORMED: null,
  AGENT_IDENTITY_JWKS_REQUEST_FAILED: null,
  AGENT_IDENTITY_JWT_ALGORITHM_NOT_ALLOWED: null,
  AGENT_IDENTITY_JWT_AUDIENCE_MISMATCH: null,
  AGENT_IDENTITY_JWT_CLAIM_INVALID: null,
  AGENT_IDENTITY_JWT_CRITICAL_HEADER_UNSUPPORTED: null,
  AGENT_IDENTITY_JWT_EXPIRED: null,
  AGENT_IDENTITY_JWT_FORMAT_INVALID: null,
  AGENT_IDENTITY_JWT_HEADER_MALFORMED: null,
  AGENT_IDENTITY_JWT_ISSUER_MISMATCH: null,
  AGENT_IDENTITY_JWT_KID_MISSING: null,
  AGENT_IDENTITY_JWT_NOT_YET_VALID: null,
  AGENT_IDENTITY_JWT_SIGNATURE_INVALID: null,
  AGENT_IDENTITY_KEY_MALFORMED: "agent-auth login --with-agent-identity",
  AGENT_IDENTITY_NODE_TOO_OLD: null,
  AGENT_IDENTITY_PATH_SEGMENT_INVALID: null,
  AGENT_IDENTITY_PUBLIC_KEY_MALFORMED: null,
  AGENT_IDENTITY_SEALED_BOX_DECRYPTION_FAILED: null,
  AGENT_IDENTITY_STORED_RECORD_INVALID: "agent-auth login --with-agent-identity",
  AGENT_IDENTITY_TASK_ID_DECRYPTION_FAILED: "agent-auth login --with-agent-identity",
  AGENT_IDENTITY_TASK_ID_MISSING: null,
  AGENT_IDENTITY_TASK_REGISTRATION_REJECTED: "agent-auth login --with-agent-identity",
  AGENT_IDENTITY_TASK_REGISTRATION_REQUEST_FAILED: null,
  AGENT_IDENTITY_TASK_REGISTRATION_RESPONSE_MALFORMED: null,
  LOGIN_ACCOUNTS_NOT_SHARED: null,
  LOGIN_ACCOUNT_EXISTS: "agent-auth accounts remove work",
  LOGIN_ACCOUNT_FOLDER_UNUSABLE: "agent-auth doctor",
  LOGIN_ACCOUNT_IN_USE: "agent-auth logout",
  LOGIN_ACCOUNT_NAME_INVALID: null,
  LOGIN_ACCOUNT_NOT_FOUND: "agent-auth accounts list",
  LOGIN_ACCOUNT_NOT_KEPT: "agent-auth accounts add",
  LOGIN_ACCOUNT_UNREADABLE: "agent-auth accounts remove work",
  LOGIN_AUTHORITY_RESPONSE_INVALID: null,
  LOGIN_AUTHORITY_UNREACHABLE: "agent-auth doctor",
  LOGIN_AUTHORIZATION_CODE_MISSING: "agent-auth login",
  LOGIN_AUTHORIZATION_DENIED: "agent-auth login",
  LOGIN_AUTHORIZATION_FAILED: "agent-auth login",
  LOGIN_AUTH_JSON_INVALID: "agent-auth logout && agent-auth login",
  LOGIN_CALLBACK_PORTS_TAKEN: "agent-auth login --device-auth",
  LOGIN_CA_BUNDLE_UNUSABLE: null,
  LOGIN_CODEX_ENTITLEMENT_MISSING: null,
  LOGIN_CODEX_HOME_UNUSABLE: null,
  LOGIN_CODE_EXCHANGE_REJECTED: "agent-auth login",
  LOGIN_CONFIG_KEY_INVALID: null,
  LOGIN_CONFIG_SYNTAX: null,
  LOGIN_CONFIG_UNREADABLE: null,
  LOGIN_CREDENTIAL_COPY_REMAINS: "agent-auth doctor",
  LOGIN_CREDENTIAL_FORBIDDEN: "agent-auth login",
  LOGIN_CREDENTIAL_UNUSABLE: "agent-auth login",
  LOGIN_DEVICE_CODE_EXPIRED: "agent-auth login --device-auth",
  LOGIN_DEVICE_CODE_NOT_ENABLED: "agent-auth login",
  LOGIN_DEVICE_CODE_REJECTED: "agent-auth login",
  LOGIN_ENCRYPTED_STORE_NOT_SUPPORTED: null,
  LOGIN_ENVIRONMENT_CREDENTIAL_OVERRIDES: null,
  LOGIN_EXTERNAL_PROVIDER_FAILED: null,
  LOGIN_FORBIDDEN_BY_ADMINISTRATOR: null,
  LOGIN_GATEWAY_AUTH_FAILED: null,
  LOGIN_GATEWAY_SIGN_IN_IN_PROGRESS: null,
  LOGIN_GATEWAY_SIGN_IN_REQUIRED: "agent-auth login --provider own",
  LOGIN_GATEWAY_STORE_UNUSABLE: "agent-auth doctor",
  LOGIN_HOME_LOCK_BUSY: null,
  LOGIN_HOME_LOCK_FAILED: "agent-auth doctor",
  LOGIN_IDENTITY_TOKEN_UNAVAILABLE: null,
  LOGIN_INPUT_INVALID: null,
  LOGIN_ISSUER_INVALID: null,
  LOGIN_KEYRING_UNAVAILABLE: "agent-auth doctor",
  LOGIN_LEASE_BUSY: null,
  LOGIN_LEASE_LOST: null,
  LOGIN_MANAGER_CLOSED: null,
  LOGIN_METHOD_DISABLED: null,
  LOGIN_MODEL_PROVIDER_NOT_FOUND: null,
  LOGIN_NEW_CREDENTIAL_REJECTED: null,
  LOGIN_NOT_SIGNED_IN: "agent-auth login",
  LOGIN_NO_LOGIN_METHOD_ALLOWED: null,
  LOGIN_OWNER_NOT_TRUSTED: null,
  LOGIN_PERSISTENT_STORE_REQUIRED: null,
  LOGIN_PERSONAL_ACCESS_TOKEN_LOOKUP_FAILED: null,
  LOGIN_PERSONAL_ACCESS_TOKEN_REJECTED: null,
  LOGIN_PROXY_REQUEST_FAILED: "agent-auth doctor",
  LOGIN_PROXY_UNUSABLE: null,
  LOGIN_REFRESH_ACCOUNT_CHANGED: "agent-auth login",
  LOGIN_REFRESH_FAILED: "agent-auth doctor",
  LOGIN_REFRESH_INTERRUPTED: "agent-auth login",
  LOGIN_REFRESH_REJECTED: "agent-auth login",
  LOGIN_REFRESH_UNSUPPORTED: "agent-auth login",
  LOGIN_SHARED_STORE_NOT_OPENED: null,
  LOGIN_SIGN_IN_CANCELLED: "agent-auth login",
  LOGIN_SIGN_IN_LINK_REUSED: "agent-auth login",
  LOGIN_SIGN_IN_STATE_MISMATCH: "agent-auth login",
  LOGIN_SIGN_IN_TIMED_OUT: "agent-auth login && agent-auth login --device-auth",
  LOGIN_STORE_CONFLICT: null,
  LOGIN_STORE_UNAVAILABLE: "agent-auth doctor",
  LOGIN_STORE_UNREADABLE: "agent-auth doctor",
  LOGIN_STORE_UNWRITABLE: "agent-auth doctor",
  LOGIN_WORKSPACE_CHECK_FAILED: null,
  LOGIN_WORKSPACE_NOT_ALLOWED: "agent-auth login",
  LOGIN_WORKSPACE_POLICY_CONFLICT: null,
  LOGIN_WORKSPACE_ROUTING_REFUSED: null,
  LOGIN_WORKSPACE_SWITCH_FAILED: "agent-auth login",
  LOGIN_WORKSPACE_SWITCH_UNSUPPORTED: "agent-auth login",
  LOGIN_WORKLOAD_IDENTITY_CHANGED: null,
  LOGIN_WORKLOAD_IDENTITY_INVALID: null,
  LOGIN_WORKLOAD_IDENTITY_REJECTED: null,
  LOGIN_WORKLOAD_IDENTITY_RESPONSE_INVALID: null,
  LOGIN_WORKLOAD_IDENTITY_UNAVAILABLE: null,
  PROVIDER_ACCOUNT_CHANGED: null,
  PROVIDER_CERTIFICATE_UNTRUSTED: "agent-auth doctor",
  PROVIDER_CREDENTIAL_UNAVAILABLE: null,
  PROVIDER_ENV_KEY_MISSING: null,
  PROVIDER_HEADER_INVALID: null,
  PROVIDER_INTERCEPTOR_ORDER_INVALID: null,
  PROVIDER_BASE_URL_INVALID: null,
  PROVIDER_METHOD_NOT_ALLOWED: null,
  PROVIDER_REDIRECT_NOT_FOLLOWED: null,
  PROVIDER_REQUEST_ORIGIN_NOT_ALLOWED: null,
  PROVIDER_SIGNING_FAILED: "agent-auth login",
  PROVIDER_SIGN_IN_REQUIRED: "agent-auth login",
  PROVIDER_TOKEN_COMMAND_FAILED: null,
  PROVIDER_WEBSOCKET_NOT_OPENED: null,
};

const remedyNames = [
  "signIn",
  "retry",
  "fixInput",
  "fixEnvironment",
  "fixConfig",
  "fixStore",
  "fixNetwork",
  "contactAdmin",
] as const satisfies readonly Remedy[];

describe("the next step of an error", () => {
  it.each(Object.entries(commands))("%s runs %s", (code, command) => {
    const error = errors.get(code);
    if (error === undefined) throw new Error(`no class has the code ${code}`);
    const step = nextStep(error) ?? "";
    expect(step).not.toBe("");
    expect(step.match(/agent-auth [a-z -]*[a-z]/gu)?.join(" && ") ?? null).toBe(command);
  });

  it("has only codes of existing classes", () => {
    const gone = [...errors.keys()].filter((code) => !Object.hasOwn(commands, code));
    expect(gone).toEqual([]);
  });

  const remedies: Readonly<Record<Remedy, string>> = {
    signIn: "Run: agent-auth login",
    retry: "Do it.",
    fixInput: "Do it.",
    fixEnvironment: "Do it.",
    fixConfig: "Do it.",
    fixStore: "Do it. Run: agent-auth doctor",
    fixNetwork: "Do it. Run: agent-auth doctor",
    contactAdmin: "Do it.",
  };
  it.each(Object.entries(remedies))("with the remedy %s is: %s", (name, step) => {
    const remedy = remedyNames.find((one) => one === name);
    expect(nextStep({ code: "LOGIN_X", message: "it broke", hint: "Do it.", remedy })).toBe(step);
  });

  it("does not lead doctor to doctor", () => {
    const error = { code: "LOGIN_X", message: "", hint: "Do it.", remedy: "fixNetwork" } as const;
    expect(nextStep(error, { inDoctor: true })).toBe("Do it.");
  });

  it.each([
    [
      "plain http to another machine",
      new modelProvider.ProviderBaseUrlInvalid({
        providerId: "own",
        setting: "openai_base_url",
        reason: "insecureHttp",
      }),
      "Use https in openai_base_url.",
    ],
    [
      "a forbidden credential of a variable",
      new login.CredentialForbidden({
        text: "",
        rule: "method",
        loggedOut: false,
        source: { _tag: "Environment", variable: "CODEX_API_KEY" },
      }),
      "Unset or replace CODEX_API_KEY.",
    ],
    [
      "a broken auth.json",
      new login.AuthJsonInvalid({ where: "/a", path: "", reason: "" }),
      "Correct it, or remove it and sign in again: agent-auth logout && agent-auth login",
    ],
  ])("depends on the fields of the error: %s", (_, error, step) => {
    expect(nextStep(error)).toBe(step);
  });

  it("is the hint of an error of this program, which names its command itself", () => {
    const error = new CliError({ code: "CLI_REQUEST_FAILED", message: "", hint: "Fix it." });
    expect([error.remedy, nextStep(error)]).toEqual(["fixNetwork", "Fix it."]);
  });
});

describe("errorLine", () => {
  it("is one line: what happened, then the next step", () => {
    const error = { code: "X", message: "the disk\nis full", hint: "Free some space." };
    expect(errorLine("Error logging in", error)).toBe(
      "Error logging in: the disk is full. Free some space.",
    );
  });

  it("does not change a message that is a complete sentence", () => {
    const error = { code: "CLI_INPUT_EMPTY", message: "No API key provided via stdin." };
    expect(errorLine("Error logging in", error)).toBe("No API key provided via stdin.");
  });
});

describe("exitCodeOf", () => {
  it.each([
    ["a needed sign-in", { code: "X", message: "", remedy: "signIn" } as const, 4],
    ["any other failure", { code: "X", message: "", remedy: "retry" } as const, 1],
    ["an error with its own code", { code: "X", message: "", exitCode: 2 }, 2],
    [
      "a text that is fixed to the letter",
      { code: "LOGIN_CREDENTIAL_FORBIDDEN", message: "", remedy: "signIn" } as const,
      1,
    ],
  ])("for %s", (_, error, code) => {
    expect(exitCodeOf(error)).toBe(code);
  });
});
