import { decodeUnverifiedAgentIdentityJwt } from "@agent-auth/agent-identity/jwt";
import { parseStoredAgentIdentity } from "@agent-auth/agent-identity/record";
import {
  type AuthDocument,
  effectiveAuthMode,
  recordFields,
  type StoredAgentIdentity,
} from "@agent-auth/login/storage/auth-json";
import { decodeUnverifiedClaims } from "@agent-auth/login/oauth/id-token-claims";
import * as Effect from "effect/Effect";
import * as Redacted from "effect/Redacted";
import { createHash } from "node:crypto";
import { mask } from "../terminal/safe-text.ts";

/** What a stored sign-in says of itself. Nothing is verified: good for lists, and to tell sign-ins apart. */
export interface SignInFacts {
  readonly method: "apiKey" | "chatgpt" | "agentIdentity" | "personalAccessToken";
  /** The same for two documents of one sign-in, whatever tokens it was renewed with since. */
  readonly key: string;
  readonly email?: string;
  readonly accountId?: string;
  readonly plan?: string;
  /** An API key, masked. */
  readonly apiKey?: string;
}

/** Reads the facts of a stored document; asks no network. A broken identity is told apart by its bytes. */
export const signInFacts = (document: AuthDocument): Effect.Effect<SignInFacts> => {
  switch (effectiveAuthMode(document)) {
    case "apikey":
      return Effect.succeed(apiKeyFacts(document));
    case "personalAccessToken":
      return Effect.succeed({
        method: "personalAccessToken",
        key: keyOf("personalAccessToken", secretOf(document.personalAccessToken)),
      });
    case "agentIdentity":
      return agentFacts(document.agentIdentity);
    case "chatgpt":
    case "chatgptAuthTokens":
      return Effect.succeed(chatgptFacts(document));
  }
};

const apiKeyFacts = (document: AuthDocument): SignInFacts => {
  const secret = secretOf(document.openaiApiKey);
  return { method: "apiKey", key: keyOf("apiKey", secret), apiKey: mask(secret) };
};

const chatgptFacts = ({ tokens }: AuthDocument): SignInFacts => {
  const claims = tokens === undefined ? undefined : decodeUnverifiedClaims(tokens.idToken);
  const accountId = tokens?.accountId ?? claims?.accountId;
  return {
    method: "chatgpt",
    key: keyOf("chatgpt", accountId ?? "", claims?.userId ?? claims?.email ?? ""),
    ...(claims?.email !== undefined && { email: claims.email }),
    ...(accountId !== undefined && { accountId }),
    ...(claims?.planType !== undefined && { plan: claims.planType }),
  };
};

const agentFacts = (stored: StoredAgentIdentity | undefined): Effect.Effect<SignInFacts> =>
  agentRecord(stored).pipe(
    Effect.map((record): SignInFacts => ({
      method: "agentIdentity",
      key: keyOf("agentIdentity", record.agentRuntimeId),
      accountId: record.accountId,
      plan: record.planType,
      ...(record.email !== undefined && { email: record.email }),
    })),
    Effect.orElseSucceed((): SignInFacts => ({
      method: "agentIdentity",
      key: keyOf("broken", textOf(stored)),
    })),
  );

const agentRecord = Effect.fnUntraced(function* (stored: StoredAgentIdentity | undefined) {
  if (stored?._tag === "Record") return yield* parseStoredAgentIdentity(recordFields(stored));
  const { unverifiedRecord } = yield* decodeUnverifiedAgentIdentityJwt(stored?.jwt ?? "");
  return unverifiedRecord;
});

const textOf = (stored: StoredAgentIdentity | undefined) =>
  stored === undefined ? "" : Redacted.value(stored._tag === "Jwt" ? stored.jwt : stored.json);

const secretOf = (secret: Redacted.Redacted | undefined) =>
  secret === undefined ? "" : Redacted.value(secret);

/** A digest, so that no secret stays in a value that may be printed. */
const keyOf = (...parts: readonly string[]) =>
  createHash("sha256").update(JSON.stringify(parts)).digest("hex");
