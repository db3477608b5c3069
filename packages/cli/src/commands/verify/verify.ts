import { JwksSource } from "@agent-auth/agent-identity/jwks";
import { verifyAgentIdentityJwt, type VerifiedAgentIdentity } from "@agent-auth/agent-identity/jwt";
import * as HttpClient from "@agent-auth/login/http";
import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import { identityJson, identityRows } from "../../account/agent-identity.ts";
import type { Command, GlobalValues } from "../../argv/command-spec.ts";
import { errorToJson, type Reportable, reportError } from "../../errors/report.ts";
import { exitCode } from "../../errors/exit-code.ts";
import { findJwks, jwksOrigin, explainNamedJwksError } from "../../jwks-origin.ts";
import { openSession, userAgent } from "../../session.ts";
import { readSecret, refuseTerminal } from "../../terminal/read-secret.ts";
import { formatRows } from "../../terminal/layout.ts";
import { isoSeconds, timeText } from "../../terminal/time.ts";
import { writeAnswer, writeJson } from "../../terminal/write.ts";
import { spec } from "./spec.ts";

export interface VerifyOptions {
  /** A file or a URL; default: the configured backend's. */
  readonly jwks?: string;
  readonly issuer?: string;
  readonly audience?: string;
  readonly json: boolean;
  readonly globals: GlobalValues;
}

export const command: Command<typeof spec.flags, VerifyOptions> = {
  spec,
  options: ({ flags: { jwks, issuer, audience, json }, globals }) => ({
    json,
    globals,
    ...(jwks !== undefined && { jwks }),
    ...(issuer !== undefined && { issuer }),
    ...(audience !== undefined && { audience }),
  }),
};

/** Exit code 0 means that the token is valid. */
export const run = (options: VerifyOptions) =>
  verify(options).pipe(
    Effect.mapError(explainNamedJwksError(options.jwks)),
    Effect.catch((error) => Effect.sync(() => refuse(options, error))),
  );

const prompt = {
  noun: "agent identity JWT",
  flag: "verify",
  example: "agent-auth verify < agent.jwt",
};

const verify = Effect.fnUntraced(function* (options: VerifyOptions) {
  yield* refuseTerminal(prompt);
  const session = yield* openSession(options.globals);
  const jwt = yield* readSecret(prompt);
  const origin = yield* jwksOrigin(options.jwks, session);
  const { jwks } = yield* findJwks(origin).pipe(
    Effect.provide(HttpClient.layer(session.environment, { userAgent })),
  );
  const verified = yield* verifyAgentIdentityJwt(jwt, options).pipe(
    Effect.provide(JwksSource.layerStatic(jwks)),
  );
  const nowMs = yield* Clock.currentTimeMillis;
  if (options.json) writeJson(verifiedJson(verified));
  else writeAnswer(`${verifiedLines(verified, nowMs).join("\n")}\n`);
  return exitCode.done;
});

const verifiedJson = (verified: VerifiedAgentIdentity) => ({
  valid: true,
  kid: verified.kid,
  issuer: verified.issuer,
  audience: verified.audience,
  issuedAt: isoSeconds(verified.issuedAtMs ?? null),
  expiresAt: isoSeconds(verified.expiresAtMs),
  identity: identityJson(verified.record),
});

const verifiedLines = (verified: VerifiedAgentIdentity, nowMs: number) => [
  "The token is valid.",
  ...formatRows([
    ...identityRows(verified.record),
    ["key", verified.kid],
    ["expires", timeText(verified.expiresAtMs, nowMs)],
  ]),
];

/**
 * If the token could not be checked (no configuration, no keys, no stdin), the line does not say that it was rejected.
 */
const prefixOf = ({ code }: Reportable) =>
  /^AGENT_IDENTITY_(?!HTTP_|JWKS_)/u.test(code)
    ? "The token was rejected"
    : "Error verifying the token";

const refuse = (options: VerifyOptions, error: Reportable) => {
  if (options.json) writeJson({ valid: false, error: errorToJson(error) });
  reportError(prefixOf(error), error);
  return exitCode.failed;
};
