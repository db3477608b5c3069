import { makeAgentIdentityJwtVerifier } from "@agent-auth/agent-identity/jwt/verifier";
import { describe, expect, it } from "vitest";
import { jwtVectors } from "./vectors/index.ts";

const nowMs = Date.UTC(2026, 3, 13, 12, 34, 56, 789);
const verifier = makeAgentIdentityJwtVerifier(jwtVectors.jwks);
/** `reason` is more precise than the vectors in one case: they count `nbf` as a claim. */
const reasonOfVectors = (reason: string) => (reason === "notYetValid" ? "claim" : reason);

describe("makeAgentIdentityJwtVerifier", () => {
  it.each(jwtVectors.accept)("accepts: $name", ({ jwt }) => {
    const verified = verifier.verify(jwt, nowMs);
    if ("_tag" in verified) throw verified;
    expect(verified.record.agentRuntimeId).toBe("agent-123");
    expect(verified.expiresAtMs).toBe(4_000_000_000_000);
  });

  it.each(jwtVectors.reject)("rejects: $name, with the reason $reason", ({ jwt, reason }) => {
    const rejected = verifier.verify(jwt, nowMs);
    expect("_tag" in rejected && "reason" in rejected && reasonOfVectors(rejected.reason)).toBe(
      reason,
    );
  });

  it("rejects a token once it expires, 60 seconds after exp", () => {
    const jwt = jwtVectors.accept[0]?.jwt ?? "";
    expect(verifier.verify(jwt, 4_000_000_059_999)).not.toHaveProperty("_tag");
    expect(verifier.verify(jwt, 4_000_000_060_000)).toMatchObject({ _tag: "JwtExpired" });
  });

  it("throws for a set that is not a JWKS, and for a tolerance that is not a number", () => {
    const broken: { readonly keys: ReadonlyArray<unknown> } = JSON.parse("[]");
    expect(() => makeAgentIdentityJwtVerifier(broken)).toThrowError(
      expect.objectContaining({ code: "AGENT_IDENTITY_JWKS_MALFORMED" }),
    );
    expect(() =>
      makeAgentIdentityJwtVerifier({ keys: [] }, { clockToleranceSeconds: Number.NaN }),
    ).toThrowError(RangeError);
  });
});
