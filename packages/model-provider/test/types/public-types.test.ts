import type { LoginErrorCode } from "@agent-auth/login/errors";
import type * as Effect from "effect/Effect";
import type * as Layer from "effect/Layer";
import type * as HttpClient from "effect/http/HttpClient";
import type { Dispatcher } from "undici";
import { describe, expectTypeOf, it } from "vitest";
import type { AuthenticatedFetch, createAuthenticatedFetch } from "../../src/fetch/index.ts";
import type { layer as httpClientLayer } from "../../src/fetch/effect-http-client.ts";
import type {
  ModelProviderError,
  ModelProviderErrorCode,
  ProviderConfigError,
  SignError,
} from "../../src/errors/index.ts";
import type { AnyAuthManager } from "../../src/credentials/index.ts";
import type { HeaderSource, SignedHeaders } from "../../src/signing/headers.ts";
import type { ModelProviderClient, ModelProviderOptions } from "../../src/promises/index.ts";
import type { RequestSigner } from "../../src/signing/index.ts";
import type { authInterceptor } from "../../src/dispatcher/index.ts";

/** An exhaustive switch compiles only while it knows every code of a union. */
const known = (error: ProviderConfigError): string => {
  switch (error.code) {
    case "LOGIN_MODEL_PROVIDER_NOT_FOUND":
    case "PROVIDER_BASE_URL_INVALID":
    case "PROVIDER_ENV_KEY_MISSING":
      return error.message;
    case "PROVIDER_HEADER_INVALID":
      return error.header;
  }
};

describe("public types", () => {
  it("the authenticated fetch can be used as a fetch", () => {
    expectTypeOf<ReturnType<typeof createAuthenticatedFetch>>().toEqualTypeOf<AuthenticatedFetch>();
    expectTypeOf<AuthenticatedFetch>().toExtend<typeof fetch>();
  });

  it("the interceptor has undici's interceptor type", () => {
    expectTypeOf<
      ReturnType<typeof authInterceptor>
    >().toEqualTypeOf<Dispatcher.DispatcherComposeInterceptor>();
  });

  it("Effect's client needs a signer and nothing else", () => {
    expectTypeOf<ReturnType<typeof httpClientLayer>>().toEqualTypeOf<
      Layer.Layer<HttpClient.HttpClient, never, RequestSigner>
    >();
    expectTypeOf<ReturnType<RequestSigner["Service"]["sign"]>>().toEqualTypeOf<
      Effect.Effect<SignedHeaders, SignError>
    >();
  });

  it("codes are literals in one union, including those of login", () => {
    expectTypeOf<ModelProviderErrorCode>().toEqualTypeOf<ModelProviderError["code"]>();
    expectTypeOf<LoginErrorCode>().toExtend<ModelProviderErrorCode>();
    expectTypeOf<string>().not.toExtend<ModelProviderErrorCode>();
    expectTypeOf(known).returns.toEqualTypeOf<string>();
  });

  it("header sources and clients return headers as a plain record", () => {
    expectTypeOf<ReturnType<HeaderSource["headers"]>>().toEqualTypeOf<
      Promise<Record<string, string>>
    >();
    expectTypeOf<ModelProviderClient>().toExtend<HeaderSource>();
    expectTypeOf<ModelProviderClient>().toExtend<AsyncDisposable>();
  });

  it("environmentCredentials has no default", () => {
    // @ts-expect-error environmentCredentials is required
    const silent: ModelProviderOptions = {};
    expectTypeOf(silent).toEqualTypeOf<ModelProviderOptions>();
    expectTypeOf<{ readonly manager: AnyAuthManager }>().toExtend<ModelProviderOptions>();
  });
});
