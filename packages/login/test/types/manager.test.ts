import type { HttpTransport } from "@agent-auth/agent-identity/http";
import type * as Effect from "effect/Effect";
import type * as Layer from "effect/Layer";
import type * as Option from "effect/Option";
import type * as Stream from "effect/Stream";
import { describe, expectTypeOf, it } from "vitest";
import type {
  AuthManager,
  AuthManagerOptions,
  AuthManagerShape,
  ChatgptTokens,
  layer,
  layerNoDeps,
} from "../../src/manager/index.ts";
import type { Config, loadConfig } from "../../src/config/index.ts";
import type { CredentialStore } from "../../src/storage/index.ts";
import type { Credential } from "../../src/credential/index.ts";
import type { ConfigError, LoginError, SignInError } from "../../src/errors/index.ts";
import type { HomeLock } from "../../src/storage/lock/index.ts";
import type { signInWithBrowser } from "../../src/oauth/browser.ts";

describe("the types of the manager", () => {
  it("the usual layer needs nothing, and cannot fail", () => {
    expectTypeOf<ReturnType<typeof layer>>().toEqualTypeOf<Layer.Layer<AuthManager>>();
    expectTypeOf<ReturnType<typeof layerNoDeps>>().toEqualTypeOf<
      Layer.Layer<AuthManager, never, CredentialStore | HomeLock | HttpTransport>
    >();
  });

  it("every verb fails by type, and needs nothing more", () => {
    expectTypeOf<AuthManagerShape["current"]>().toEqualTypeOf<
      Effect.Effect<Option.Option<Credential>, LoginError>
    >();
    type Verbs = Omit<AuthManagerShape, "changes" | "requestSnapshot" | "snapshot">;
    type Ran<T> = T extends (...input: infer _) => infer Result ? Result : T;
    expectTypeOf<Ran<Verbs[keyof Verbs]>>().toExtend<Effect.Effect<unknown, LoginError>>();
    expectTypeOf<AuthManagerShape["snapshot"]>().returns.toEqualTypeOf<Option.Option<Credential>>();
    expectTypeOf<AuthManagerShape["changes"]>().toEqualTypeOf<
      Stream.Stream<Option.Option<Credential>>
    >();
  });

  it("environmentCredentials is required", () => {
    type Said = Pick<AuthManagerOptions, "config" | "environment">;
    // @ts-expect-error environmentCredentials has no default
    expectTypeOf<Said>().toExtend<AuthManagerOptions>();
    expectTypeOf<
      Said & { readonly environmentCredentials: boolean }
    >().toExtend<AuthManagerOptions>();
  });

  it("a configuration and a sign-in fail by type", () => {
    expectTypeOf<ReturnType<typeof loadConfig>>().toEqualTypeOf<
      Effect.Effect<Config, ConfigError>
    >();
    expectTypeOf<ReturnType<typeof signInWithBrowser<never, never>>>().toEqualTypeOf<
      Effect.Effect<ChatgptTokens, SignInError, HttpTransport>
    >();
  });
});

const change = (credential: Credential) => {
  // @ts-expect-error it is an immutable snapshot
  credential.account = { isFedrampAccount: true };
  // @ts-expect-error all the way down
  credential.account.isFedrampAccount = true;
};

describe("a credential, as a type", () => {
  it("is distinguished by its tag, and each kind has its own secret", () => {
    expectTypeOf<Credential["_tag"]>().toEqualTypeOf<
      | "AgentIdentity"
      | "ApiKey"
      | "Bearer"
      | "Chatgpt"
      | "ExternalChatgpt"
      | "PersonalAccessToken"
      | "WorkloadIdentity"
    >();
    // @ts-expect-error an agent identity has a signer and no bearer token
    expectTypeOf<Extract<Credential, { _tag: "AgentIdentity" }>["accessToken"]>();
  });

  it("cannot be changed in place", () => {
    expectTypeOf(change).parameter(0).toEqualTypeOf<Credential>();
  });
});
