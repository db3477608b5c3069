import * as Effect from "effect/Effect";
import * as Predicate from "effect/Predicate";
import * as Redacted from "effect/Redacted";
import * as z from "zod/mini";
import { type AppServerError, MethodNotSupported } from "../errors/index.ts";
import * as account from "../schema/account.ts";
import * as gateway from "../schema/gateway.ts";
import * as usage from "../schema/usage.ts";
import type { AccountServiceShape, GatewayChanged, TokenOwner } from "../service/types.ts";
import { type ParamsKind, parseParams } from "./parse-params.ts";

/** What every handler gets besides the parameters. */
export interface MethodContext {
  readonly service: AccountServiceShape;
  /** The connection that sent the request, as an owner of lent tokens. */
  readonly owner: TokenOwner;
  /** Sends the URL for signing in to a gateway, to that connection only. */
  readonly onGatewayUrl: (changed: GatewayChanged) => void;
}

/** A method's parameters, result, required capability and handler. */
interface MethodSpec<P, R> {
  readonly kind: ParamsKind;
  readonly params: z.ZodMiniType<P>;
  readonly result: z.ZodMiniType<R>;
  /** Whether the client needs the capability `experimentalApi`. */
  readonly isExperimental?: boolean;
  /** Values of the parameter `type` for which the client needs that capability. */
  readonly experimentalTypes?: ReadonlyArray<string>;
  /** Put before the message of a failure in the server. */
  readonly prefix?: string;
  readonly handle: (context: MethodContext, params: P) => Effect.Effect<R, AppServerError>;
}

/** A call with valid parameters. */
export interface CheckedCall {
  /** Returns the name of the method or variant if it needs the capability `experimentalApi`, else `undefined`. */
  readonly experimentalPart: (method: string) => string | undefined;
  readonly run: (context: MethodContext) => Effect.Effect<unknown, AppServerError>;
}

/** One method of the table. */
export interface Method<P, R> extends MethodSpec<P, R> {
  /** Checks the parameters of a call. */
  readonly check: (params: unknown) => CheckedCall | { readonly problem: string };
}

/** A method with unknown types of parameters and result. */
export type AnyMethod = Pick<Method<never, unknown>, "check" | "kind" | "prefix">;

const method = <P, R>(spec: MethodSpec<P, R>): Method<P, R> => ({
  ...spec,
  check: (params) => {
    const parsed = parseParams(spec.kind, spec.params, params);
    if ("problem" in parsed) return parsed;
    return {
      experimentalPart: (name) => {
        if (spec.isExperimental === true) return name;
        const type = Predicate.hasProperty(parsed.value, "type") ? parsed.value.type : undefined;
        return spec.experimentalTypes?.some((experimental) => experimental === type) === true
          ? `${name}.${String(type)}`
          : undefined;
      },
      run: (context) => spec.handle(context, parsed.value),
    };
  },
});

const empty = z.object({});

/** Every account method that this server supports. */
export const methods = {
  "account/read": method({
    kind: "required",
    params: account.GetAccountParams,
    result: account.GetAccountResponse,
    handle: ({ service }, { refreshToken = false }) => service.read({ refreshToken }),
  }),
  getAuthStatus: method({
    kind: "required",
    params: account.GetAuthStatusParams,
    result: account.GetAuthStatusResponse,
    handle: ({ service }, { includeToken, refreshToken }) =>
      Effect.map(
        service.authStatus({
          includeToken: includeToken ?? false,
          refreshToken: refreshToken ?? false,
        }),
        ({ authToken, ...status }) => ({
          ...status,
          authToken: authToken === null ? null : Redacted.value(authToken),
        }),
      ),
  }),
  "account/login/start": method({
    kind: "required",
    params: account.LoginAccountParams,
    result: account.LoginAccountResponse,
    experimentalTypes: ["chatgptAuthTokens", "amazonBedrock", "amazonBedrockAccessKeys"],
    handle: ({ owner, service }, params) => {
      switch (params.type) {
        case "apiKey":
          return service.startLogin({
            type: "apiKey",
            apiKey: Redacted.make(params.apiKey, { label: "API key" }),
          });
        case "chatgpt":
          return service.startLogin({
            type: "chatgpt",
            useHostedSuccessPage:
              params.codexStreamlinedLogin === true && params.useHostedLoginSuccessPage === true,
          });
        case "chatgptDeviceCode":
          return service.startLogin({ type: "chatgptDeviceCode" });
        case "chatgptAuthTokens": {
          const { accessToken, chatgptAccountId, chatgptPlanType } = params;
          const tokens = {
            accessToken: Redacted.make(accessToken, { label: "access_token" }),
            chatgptAccountId,
            ...(chatgptPlanType == null ? {} : { chatgptPlanType }),
          };
          return Effect.as(service.lendTokens(tokens, owner), { type: "chatgptAuthTokens" });
        }
        case "amazonBedrock":
        case "amazonBedrockAccessKeys":
          return new MethodNotSupported({
            what: `account/login/start.${params.type}`,
            area: "Amazon Bedrock",
          });
      }
    },
  }),
  "account/login/cancel": method({
    kind: "required",
    params: account.CancelLoginAccountParams,
    result: account.CancelLoginAccountResponse,
    handle: ({ service }, { loginId }) => service.cancelLogin(loginId),
  }),
  "account/logout": method({
    kind: "none",
    params: empty,
    result: account.LogoutAccountResponse,
    prefix: "logout failed: ",
    handle: ({ service }) => Effect.as(service.logout, {}),
  }),
  "account/rateLimits/read": method({
    kind: "optional",
    params: usage.GetAccountRateLimitsParams,
    result: usage.GetAccountRateLimitsResponse,
    handle: ({ service }, { excludeResetCreditDetails = false, supportsLunaReserve = false }) =>
      service.rateLimits({ excludeResetCreditDetails, supportsLunaReserve }),
  }),
  "account/usage/read": method({
    kind: "optional",
    params: usage.GetAccountTokenUsageParams,
    result: usage.GetAccountTokenUsageResponse,
    handle: ({ service }, { threadId }) => service.tokenUsage(threadId == null ? {} : { threadId }),
  }),
  "account/workspaceMessages/read": method({
    kind: "none",
    params: empty,
    result: usage.GetWorkspaceMessagesResponse,
    handle: ({ service }) => service.workspaceMessages,
  }),
  "account/securitySetup/read": method({
    kind: "none",
    params: empty,
    result: usage.GetAccountSecuritySetupResponse,
    handle: () => Effect.succeed({ notice: null }),
  }),
  "account/sendAddCreditsNudgeEmail": method({
    kind: "required",
    params: usage.SendAddCreditsNudgeEmailParams,
    result: usage.SendAddCreditsNudgeEmailResponse,
    handle: ({ service }, { creditType }) => service.sendAddCreditsNudgeEmail(creditType),
  }),
  "account/rateLimitResetCredit/consume": method({
    kind: "required",
    params: usage.ConsumeAccountRateLimitResetCreditParams,
    result: usage.ConsumeAccountRateLimitResetCreditResponse,
    handle: ({ service }, { creditId, idempotencyKey }) =>
      service.consumeRateLimitResetCredit({
        idempotencyKey,
        ...(creditId == null ? {} : { creditId }),
      }),
  }),
  "accountSession/list": method({
    kind: "required",
    params: account.AccountSessionsListParams,
    result: account.AccountSessionsResponse,
    isExperimental: true,
    handle: ({ service }, { refreshWorkspaceMetadata = false }) =>
      service.sessions({ refreshWorkspaceMetadata }),
  }),
  "accountSession/switch": method({
    kind: "required",
    params: account.AccountSessionsSwitchParams,
    result: account.AccountSessionsSwitchResponse,
    isExperimental: true,
    handle: ({ service }, { accountId, allowBrowserLogin = false, sessionId }) =>
      service.switchSession({ accountId, sessionId, allowBrowserLogin }),
  }),
  "account/gatewayOAuth/read": method({
    kind: "optional",
    params: gateway.GatewayOAuthReadParams,
    result: gateway.GatewayOAuthReadResponse,
    handle: ({ service }, { modelProvider }) => service.readGateway(modelProvider ?? undefined),
  }),
  "account/gatewayOAuth/login": method({
    kind: "optional",
    params: gateway.GatewayOAuthLoginParams,
    result: gateway.GatewayOAuthLoginResponse,
    handle: ({ onGatewayUrl, service }, { deviceAuth = false, modelProvider }) =>
      service.loginToGateway({
        deviceAuth,
        onAuthorizeUrl: onGatewayUrl,
        ...(modelProvider == null ? {} : { modelProvider }),
      }),
  }),
  "account/gatewayOAuth/cancel": method({
    kind: "none",
    params: empty,
    result: gateway.GatewayOAuthCancelResponse,
    handle: ({ service }) => Effect.as(service.cancelGatewayLogin, {}),
  }),
} as const;

export type MethodName = keyof typeof methods;

const byName: ReadonlyMap<string, AnyMethod> = new Map(Object.entries(methods));

export const findMethod = (name: string): AnyMethod | undefined => byName.get(name);

/** Methods of Codex's app server that concern authentication and are not supported, with the feature that is missing. */
const unsupported: ReadonlyArray<readonly [pattern: RegExp, area: string]> = [
  [/^account\/bedrock\//, "Amazon Bedrock"],
  [/^account\/gcp\//, "Google Cloud"],
  [/^remoteControl\//, "remote control"],
  [/^userVerification\//, "user verification"],
];

/** Returns the missing feature for a method of Codex that is not supported; `undefined` for any other method. */
export const unsupportedArea = (name: string): string | undefined =>
  unsupported.find(([pattern]) => pattern.test(name))?.[1];
