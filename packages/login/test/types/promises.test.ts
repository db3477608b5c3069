import type * as Context from "effect/Context";
import type * as Effect from "effect/Effect";
import type * as Exit from "effect/Exit";
import type * as Fiber from "effect/Fiber";
import type * as Layer from "effect/Layer";
import type * as Option from "effect/Option";
import type * as Redacted from "effect/Redacted";
import type * as Result from "effect/Result";
import type * as Scope from "effect/Scope";
import type * as Stream from "effect/Stream";
import { describe, expectTypeOf, it } from "vitest";
import type {
  AuthManager,
  ChatgptTokens,
  LogoutResult,
  SavedSignIn,
  StoredChatgptSignIn,
} from "../../src/manager/index.ts";
import type { Credential } from "../../src/credential/index.ts";
import type * as promises from "../../src/promises/index.ts";
import type {
  CreateAuthManagerOptions,
  PlainChatgptTokens,
  PromiseAuthManager,
  PromiseAuthProvider,
  Secret,
} from "../../src/promises/index.ts";

/** Types that only a program that uses Effect can do anything with. `Redacted` is not one: `revealSecret` opens it. */
type EffectType =
  | Effect.Effect<unknown, unknown, unknown>
  | Exit.Exit<unknown, unknown>
  | Fiber.Fiber<unknown, unknown>
  | Layer.Layer<never, unknown>
  | Option.Option<unknown>
  | Result.Result<unknown, unknown>
  | Scope.Scope
  | Stream.Stream<unknown, unknown, unknown>;

/** An error of ours is a plain error to others. A caller's context is passed through, and only who has one gives one. */
type Plain =
  | string
  | number
  | bigint
  | boolean
  | symbol
  | null
  | undefined
  | AbortSignal
  | Error
  | Context.Context<never>;

/** The places in a type, however deep, where an Effect type can be met; `never` where there is none. */
// oxfmt-ignore
type Leaks<T, Path extends string = "", Depth extends ReadonlyArray<unknown> = []> =
  Depth["length"] extends 8 ? never
  : T extends Plain | Redacted.Redacted ? never
  : T extends EffectType ? Path
  : T extends Promise<infer Value> | AsyncIterable<infer Value> | ReadonlyArray<infer Value>
      | ReadonlyMap<unknown, infer Value>
    ? Leaks<Value, Path, [...Depth, 0]>
  : T extends (...input: infer Input) => infer Output
    ? Leaks<Output, `${Path}()`, [...Depth, 0]> | Leaks<Input[number], `${Path}(…)`, [...Depth, 0]>
  : { [K in keyof T & string]-?: Leaks<T[K], `${Path}.${K}`, [...Depth, 0]> }[keyof T & string];

describe("the types of the Promise API", () => {
  it("shows no Effect type, however deep one looks", () => {
    expectTypeOf<Leaks<typeof promises>>().toBeNever();
    expectTypeOf<Leaks<PromiseAuthManager>>().toBeNever();
  });

  it("would find an Effect type", () => {
    interface Leaky {
      readonly plain: string;
      readonly current: (call?: { readonly wait: Option.Option<number> }) => Promise<Credential>;
      readonly later: () => Promise<{ readonly work: Effect.Effect<void> }>;
      readonly layers: ReadonlyArray<Layer.Layer<AuthManager>>;
    }
    expectTypeOf<Leaks<Leaky>>().toEqualTypeOf<".current(…).wait" | ".later().work" | ".layers">();
  });

  it("answers with plain values, null for signed out", () => {
    type Answer<Verb extends keyof PromiseAuthManager> = PromiseAuthManager[Verb] extends (
      ...input: infer _
    ) => Promise<infer Value>
      ? Value
      : never;
    expectTypeOf<
      Answer<"current" | "recoverUnauthorized" | "reload">
    >().toEqualTypeOf<Credential | null>();
    expectTypeOf<
      Answer<"loginWithAccessToken" | "loginWithApiKey" | "refresh">
    >().toEqualTypeOf<Credential>();
    expectTypeOf<Answer<"loginWithChatgptTokens">>().toEqualTypeOf<StoredChatgptSignIn>();
    expectTypeOf<Answer<"saveAccessToken">>().toEqualTypeOf<SavedSignIn>();
    expectTypeOf<Answer<"logout">>().toEqualTypeOf<LogoutResult>();
    expectTypeOf<Answer<"checkLogin" | "close" | "setExternalProvider">>().toEqualTypeOf<void>();
    expectTypeOf<PromiseAuthManager["snapshot"]>().returns.toEqualTypeOf<Credential | null>();
    expectTypeOf<PromiseAuthManager>().toExtend<AsyncDisposable>();
  });

  it("accepts a signal in every call that waits", () => {
    type Waits = Exclude<
      keyof PromiseAuthManager,
      "changes" | "close" | "snapshot" | "subscribe" | symbol
    >;
    type Call<Verb extends Waits> =
      Parameters<PromiseAuthManager[Verb]> extends readonly [...infer _, call?: infer Last]
        ? Last
        : never;
    expectTypeOf<{ readonly signal: AbortSignal }>().toExtend<Call<Waits>>();
  });

  it("accepts secrets as text or Redacted, and returns them Redacted", () => {
    expectTypeOf<Secret>().toEqualTypeOf<string | Redacted.Redacted>();
    expectTypeOf<ChatgptTokens>().toExtend<PlainChatgptTokens>();
    expectTypeOf<typeof promises.revealSecret>().toEqualTypeOf<
      (secret: Redacted.Redacted) => string
    >();
    // @ts-expect-error a secret of a credential is not text
    expectTypeOf<Extract<Credential, { _tag: "ApiKey" }>["apiKey"]>().toExtend<string>();
  });
});

describe("createAuthManager, as types", () => {
  it("requires one option: whether variables count", () => {
    expectTypeOf<{ environmentCredentials: false }>().toExtend<CreateAuthManagerOptions>();
    // @ts-expect-error environmentCredentials has no default
    expectTypeOf<{}>().toExtend<CreateAuthManagerOptions>();
  });

  it("takes a Promise provider where the layer takes an Effect one", () => {
    expectTypeOf<CreateAuthManagerOptions["externalProvider"]>().toEqualTypeOf<
      PromiseAuthProvider | undefined
    >();
    expectTypeOf<ReturnType<PromiseAuthProvider["tokens"]>>().resolves.toEqualTypeOf<{
      readonly accessToken: Secret;
      readonly accountId: string;
      readonly planType?: string;
    }>();
  });

  it("rejects a misspelt option, and one that is undefined", () => {
    // @ts-expect-error there is no such option
    const misspelt: CreateAuthManagerOptions = { environmentCredentials: true, codexhome: "/home" };
    // @ts-expect-error an option that is there has a value
    const absent: CreateAuthManagerOptions = { environmentCredentials: true, codexHome: undefined };
    expectTypeOf([misspelt, absent]).toBeArray();
  });
});
