import type { AgentIdentityErrorCode } from "@agent-auth/agent-identity/errors";
import { describe, expect, expectTypeOf, it } from "vitest";
import * as errors from "../../src/errors/index.ts";
import type {
  AccountError,
  ConfigError,
  CredentialError,
  GatewayError,
  HttpClientError,
  LoginError,
  LoginErrorCode,
  LoginInputError,
  ManagerClosed,
  RefreshError,
  RefreshRejected,
  RestrictionError,
  SignInError,
  OwnerNotTrusted,
  StoreWarning,
  WorkloadIdentityError,
} from "../../src/errors/index.ts";

type OwnCode = Exclude<LoginErrorCode, AgentIdentityErrorCode>;

/** Who can fix it. The switch compiles only if it has every code of this package, and no other. */
const mender = (code: OwnCode): "person" | "administrator" | "program" | "time" => {
  switch (code) {
    case "LOGIN_NOT_SIGNED_IN":
    case "LOGIN_ACCOUNT_EXISTS":
    case "LOGIN_ACCOUNT_IN_USE":
    case "LOGIN_ACCOUNT_NAME_INVALID":
    case "LOGIN_ACCOUNT_NOT_FOUND":
    case "LOGIN_ACCOUNT_NOT_KEPT":
    case "LOGIN_ACCOUNT_UNREADABLE":
    case "LOGIN_ACCOUNTS_NOT_SHARED":
    case "LOGIN_CREDENTIAL_UNUSABLE":
    case "LOGIN_AUTH_JSON_INVALID":
    case "LOGIN_PERSONAL_ACCESS_TOKEN_REJECTED":
    case "LOGIN_REFRESH_REJECTED":
    case "LOGIN_REFRESH_ACCOUNT_CHANGED":
    case "LOGIN_REFRESH_INTERRUPTED":
    case "LOGIN_CREDENTIAL_FORBIDDEN":
    case "LOGIN_WORKSPACE_NOT_ALLOWED":
    case "LOGIN_WORKSPACE_SWITCH_FAILED":
    case "LOGIN_WORKSPACE_SWITCH_UNSUPPORTED":
    case "LOGIN_METHOD_DISABLED":
    case "LOGIN_ENVIRONMENT_CREDENTIAL_OVERRIDES":
    case "LOGIN_AUTHORIZATION_CODE_MISSING":
    case "LOGIN_AUTHORIZATION_DENIED":
    case "LOGIN_AUTHORIZATION_FAILED":
    case "LOGIN_DEVICE_CODE_EXPIRED":
    case "LOGIN_DEVICE_CODE_REJECTED":
    case "LOGIN_SIGN_IN_CANCELLED":
    case "LOGIN_SIGN_IN_STATE_MISMATCH":
    case "LOGIN_SIGN_IN_LINK_REUSED":
    case "LOGIN_SIGN_IN_TIMED_OUT":
    case "LOGIN_CODE_EXCHANGE_REJECTED":
    case "LOGIN_GATEWAY_SIGN_IN_REQUIRED":
    case "LOGIN_GATEWAY_SIGN_IN_IN_PROGRESS":
      return "person";
    case "LOGIN_NEW_CREDENTIAL_REJECTED":
    case "LOGIN_CODEX_HOME_UNUSABLE":
    case "LOGIN_CONFIG_UNREADABLE":
    case "LOGIN_CONFIG_SYNTAX":
    case "LOGIN_CONFIG_KEY_INVALID":
    case "LOGIN_MODEL_PROVIDER_NOT_FOUND":
    case "LOGIN_CA_BUNDLE_UNUSABLE":
    case "LOGIN_PROXY_UNUSABLE":
    case "LOGIN_PROXY_REQUEST_FAILED":
    case "LOGIN_SHARED_STORE_NOT_OPENED":
    case "LOGIN_STORE_UNREADABLE":
    case "LOGIN_STORE_UNWRITABLE":
    case "LOGIN_ENCRYPTED_STORE_NOT_SUPPORTED":
    case "LOGIN_KEYRING_UNAVAILABLE":
    case "LOGIN_HOME_LOCK_FAILED":
    case "LOGIN_OWNER_NOT_TRUSTED":
    case "LOGIN_ACCOUNT_FOLDER_UNUSABLE":
    case "LOGIN_CREDENTIAL_COPY_REMAINS":
    case "LOGIN_PERSISTENT_STORE_REQUIRED":
    case "LOGIN_CALLBACK_PORTS_TAKEN":
    case "LOGIN_FORBIDDEN_BY_ADMINISTRATOR":
    case "LOGIN_NO_LOGIN_METHOD_ALLOWED":
    case "LOGIN_WORKSPACE_POLICY_CONFLICT":
    case "LOGIN_WORKSPACE_ROUTING_REFUSED":
    case "LOGIN_CODEX_ENTITLEMENT_MISSING":
    case "LOGIN_DEVICE_CODE_NOT_ENABLED":
    case "LOGIN_GATEWAY_STORE_UNUSABLE":
    case "LOGIN_IDENTITY_TOKEN_UNAVAILABLE":
    case "LOGIN_WORKLOAD_IDENTITY_CHANGED":
    case "LOGIN_WORKLOAD_IDENTITY_INVALID":
    case "LOGIN_WORKLOAD_IDENTITY_REJECTED":
    case "LOGIN_WORKLOAD_IDENTITY_RESPONSE_INVALID":
      return "administrator";
    case "LOGIN_INPUT_INVALID":
    case "LOGIN_ISSUER_INVALID":
    case "LOGIN_REFRESH_UNSUPPORTED":
    case "LOGIN_EXTERNAL_PROVIDER_FAILED":
    case "LOGIN_MANAGER_CLOSED":
      return "program";
    case "LOGIN_AUTHORITY_RESPONSE_INVALID":
    case "LOGIN_AUTHORITY_UNREACHABLE":
    case "LOGIN_WORKSPACE_CHECK_FAILED":
    case "LOGIN_HOME_LOCK_BUSY":
    case "LOGIN_LEASE_BUSY":
    case "LOGIN_LEASE_LOST":
    case "LOGIN_STORE_CONFLICT":
    case "LOGIN_STORE_UNAVAILABLE":
    case "LOGIN_PERSONAL_ACCESS_TOKEN_LOOKUP_FAILED":
    case "LOGIN_REFRESH_FAILED":
    case "LOGIN_GATEWAY_AUTH_FAILED":
    case "LOGIN_WORKLOAD_IDENTITY_UNAVAILABLE":
      return "time";
  }
};

// @ts-expect-error a switch that forgets a code comes to its end without an answer
const forgetful = (code: HttpClientError["code"]): string => {
  switch (code) {
    case "LOGIN_PROXY_UNUSABLE":
    case "LOGIN_PROXY_REQUEST_FAILED":
      return "proxy";
  }
};

const reasonOf = (error: LoginError) =>
  error.code === "LOGIN_REFRESH_REJECTED" ? error.reason : undefined;

/** The codes of the classes that the module exports, whether or not a union names them. */
const exportedCodes = (): ReadonlyArray<string> =>
  Object.values(errors).flatMap((it) => {
    if (typeof it !== "function" || !(it.prototype instanceof Error)) return [];
    const error: unknown = Reflect.construct(it, [{}]);
    return errors.isLoginError(error) ? [error.code] : [];
  });

describe("errors, as types", () => {
  it("codes are literals, those of this package and of agent-identity", () => {
    expectTypeOf<LoginErrorCode>().toEqualTypeOf<LoginError["code"]>();
    expectTypeOf<LoginErrorCode>().toEqualTypeOf<OwnCode | AgentIdentityErrorCode>();
    expectTypeOf<string>().not.toExtend<LoginErrorCode>();
    expectTypeOf<OwnCode>().toExtend<`LOGIN_${string}`>();
    expectTypeOf(forgetful).returns.toEqualTypeOf<string>();
  });

  it("the union names every class that the module exports", () => {
    const codes = exportedCodes();
    expect(codes).toContain("LOGIN_NOT_SIGNED_IN");
    expect(new Set(codes).size).toBe(codes.length);
    // Other codes fall through the switch.
    const menders = codes.map((code) => Reflect.apply(mender, undefined, [code]));
    expect(codes.filter((_, index) => menders[index] === undefined)).toEqual([]);
  });

  it("each union is a part of the whole", () => {
    expectTypeOf<
      | AccountError
      | ConfigError
      | CredentialError
      | GatewayError
      | HttpClientError
      | LoginInputError
      | ManagerClosed
      | RefreshError
      | RestrictionError
      | SignInError
      | OwnerNotTrusted
      | StoreWarning
      | WorkloadIdentityError
    >().toExtend<LoginError>();
  });

  it("a code leads to the fields of its class", () => {
    expectTypeOf(reasonOf).returns.toEqualTypeOf<RefreshRejected["reason"] | undefined>();
    // @ts-expect-error not every error has a reason
    expectTypeOf((error: LoginError) => error.reason);
  });

  it("each has a message and one next step", () => {
    expectTypeOf<LoginError["message"]>().toEqualTypeOf<string>();
    expectTypeOf<LoginError["hint"]>().toExtend<string>();
    expectTypeOf(errors.isLoginError).guards.toEqualTypeOf<LoginError>();
  });
});
