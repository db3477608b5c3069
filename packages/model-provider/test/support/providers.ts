import type { Config, ModelProviderConfig } from "@agent-auth/login/config";
import * as Redacted from "effect/Redacted";
import * as Result from "effect/Result";
import { type ModelProvider, resolveProvider } from "../../src/provider/index.ts";

export const table = (more: Partial<ModelProviderConfig> = {}): ModelProviderConfig => ({
  requiresOpenaiAuth: false,
  queryParams: {},
  httpHeaders: {},
  envHttpHeaders: {},
  ...more,
});

export type ProviderSettings = Pick<
  Config,
  "chatgptBaseUrl" | "openaiBaseUrl" | "modelProvider" | "modelProviders"
>;

export const settings = (more: Partial<ProviderSettings> = {}): ProviderSettings => ({
  chatgptBaseUrl: "https://chatgpt.com/backend-api",
  modelProviders: new Map(),
  ...more,
});

export const environment = (variables: Readonly<Record<string, string>> = {}) => ({
  variable: (name: string) => {
    const value = variables[name];
    return value === undefined ? undefined : Redacted.make(value);
  },
});

/** A provider at `baseUrl` that needs the signed-in credential by default. */
export const providerAt = (
  baseUrl: string,
  more: Partial<ModelProviderConfig> = {},
  variables: Readonly<Record<string, string>> = {},
): ModelProvider =>
  Result.getOrThrow(
    resolveProvider({
      config: settings({
        modelProvider: "local",
        modelProviders: new Map([["local", table({ baseUrl, requiresOpenaiAuth: true, ...more })]]),
      }),
      environment: environment(variables),
    }),
  );
