import * as Effect from "effect/Effect";
import { describe, expect, it } from "vitest";
import { accountState } from "../src/provider/account-state.ts";
import { SignInRequired } from "../src/errors/index.ts";
import { agent, apiKey } from "./support/credentials.ts";
import { brokenManager, managerOf } from "./support/managers.ts";
import { providerAt } from "./support/providers.ts";

const source = { _tag: "File", path: "/home/nobody/.codex/auth.json" };

describe("accountState", () => {
  it("describes kind, e-mail, plan and source, without secrets", async () => {
    const state = await Effect.runPromise(accountState(managerOf(agent())));
    expect(state).toEqual({
      _tag: "SignedIn",
      kind: "AgentIdentity",
      source,
      isFedrampAccount: false,
      email: "agent@example.com",
      planType: "enterprise",
      accountId: "workspace-1",
    });
  });

  it("omits what the credential does not say", async () => {
    expect(await Effect.runPromise(accountState(managerOf(apiKey())))).toEqual({
      _tag: "SignedIn",
      kind: "ApiKey",
      source,
      isFedrampAccount: false,
    });
  });

  it("reports that no account is signed in", async () => {
    expect(await Effect.runPromise(accountState(managerOf(null)))).toEqual({ _tag: "SignedOut" });
  });

  it("returns the reason if the credential cannot be loaded", async () => {
    const broken = brokenManager(new SignInRequired({ providerId: "x" }));
    expect(await Effect.runPromise(accountState(broken))).toEqual({
      _tag: "Unavailable",
      code: "PROVIDER_SIGN_IN_REQUIRED",
      message: 'model provider "x" needs a sign-in, but no account is signed in',
      hint: "Sign in.",
      remedy: "signIn",
    });
  });

  it("names a foreign error without its message, which may quote a secret", async () => {
    const state = await Effect.runPromise(accountState(brokenManager(new RangeError("sk-canary"))));
    expect(state).toMatchObject({ _tag: "Unavailable", code: "PROVIDER_CREDENTIAL_UNAVAILABLE" });
    expect(JSON.stringify(state)).not.toContain("sk-canary");
  });

  it("says that a provider with its own token has no account", async () => {
    const provider = providerAt("https://x.example/v1", { envKey: "X_KEY" }, { X_KEY: "k" });
    expect(await Effect.runPromise(accountState(managerOf(agent()), provider))).toEqual({
      _tag: "NoAccount",
      auth: "EnvKey",
    });
  });
});
