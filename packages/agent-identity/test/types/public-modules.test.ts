import { describe, expectTypeOf, it } from "vitest";
import type * as Effect from "effect/Effect";
import type * as Redacted from "effect/Redacted";
import type {
  AgentIdentityError,
  AgentKeyMalformed,
  AgentIdentityErrorCode,
  AgentTaskError,
  AssertionError,
  JwksError,
  JwtVerificationError,
} from "../../src/errors/index.ts";
import type { HttpTransport } from "../../src/http/index.ts";
import type { JwksSource } from "../../src/jwks/index.ts";
import type { VerifiedAgentIdentity, verifyAgentIdentityJwt } from "../../src/jwt/index.ts";
import type { AgentIdentityRecord } from "../../src/record/index.ts";
import type { RegisterAgentOptions } from "../../src/registration/index.ts";
import type { MintBiscuitOptions } from "../../src/registration/biscuit.ts";
import type {
  AgentRegistrationRequest,
  AssertionVerifierOptions,
  BiscuitRequest,
  TaskRequest,
  VerifyAssertionCall,
} from "../../src/promises/index.ts";
import type { AgentTaskIdentity, registerTask } from "../../src/tasks/index.ts";
import type { VerifyAssertionOptions } from "../../src/assertion/verifier.ts";

/** An exhaustive switch compiles only if it handles every code of a union. */
const known = (error: JwksError): string => {
  switch (error.code) {
    case "AGENT_IDENTITY_JWKS_REQUEST_FAILED":
      return error.failure.code;
    case "AGENT_IDENTITY_JWKS_ENDPOINT_ERROR":
      return String(error.status);
    case "AGENT_IDENTITY_JWKS_MALFORMED":
      return error.problem;
  }
};

describe("types of the public modules", () => {
  it("verification requires a JwksSource and has typed errors", () => {
    expectTypeOf<ReturnType<typeof verifyAgentIdentityJwt>>().toEqualTypeOf<
      Effect.Effect<
        VerifiedAgentIdentity,
        JwtVerificationError | JwksError | AgentKeyMalformed,
        JwksSource
      >
    >();
    expectTypeOf<AgentIdentityRecord["privateKey"]>().toEqualTypeOf<Redacted.Redacted>();
  });

  it("registration requires an HttpTransport and has typed errors", () => {
    expectTypeOf<ReturnType<typeof registerTask>>().toEqualTypeOf<
      Effect.Effect<string, AgentTaskError, HttpTransport>
    >();
  });

  it("error codes are a union of literals", () => {
    expectTypeOf<AgentIdentityErrorCode>().toEqualTypeOf<AgentIdentityError["code"]>();
    expectTypeOf<string>().not.toExtend<AgentIdentityErrorCode>();
    expectTypeOf<AssertionError["code"]>().toExtend<AgentIdentityErrorCode>();
    expectTypeOf(known).returns.toEqualTypeOf<string>();
  });

  it("isKnownTask has no default", () => {
    // @ts-expect-error isKnownTask is required
    const silent: VerifyAssertionOptions = {};
    expectTypeOf(silent).toEqualTypeOf<VerifyAssertionOptions>();
    // @ts-expect-error it is required in the Promise API, too
    const alsoSilent: AssertionVerifierOptions = { findPublicKey: async () => null };
    expectTypeOf(alsoSilent).toEqualTypeOf<AssertionVerifierOptions>();
  });

  it("the Promise API has the options of the Effect API", () => {
    type Verifying = keyof AssertionVerifierOptions | keyof VerifyAssertionCall;
    expectTypeOf<keyof VerifyAssertionOptions>().toExtend<Verifying>();
    expectTypeOf<keyof MintBiscuitOptions>().toEqualTypeOf<keyof BiscuitRequest>();
    expectTypeOf<Exclude<keyof AgentTaskIdentity, "record">>().toExtend<keyof TaskRequest>();
    expectTypeOf<Exclude<keyof RegisterAgentOptions, "design">>().toExtend<
      keyof AgentRegistrationRequest
    >();
  });
});
