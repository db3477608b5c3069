import { createHash } from "node:crypto";
import { decodeUnverifiedAgentIdentityJwt } from "@agent-auth/agent-identity/jwt";
import { parseStoredAgentIdentity } from "@agent-auth/agent-identity/record";
import * as Effect from "effect/Effect";
import * as Redacted from "effect/Redacted";
import { decodeUnverifiedClaims } from "../../oauth/id-token-claims.ts";
import {
  type AuthDocument,
  type AuthMode,
  effectiveAuthMode,
  recordFields,
  type StoredAgentIdentity,
} from "../auth-json/index.ts";

/** What a stored sign-in states about its owner, to list sign-ins and to distinguish them. Nothing is verified. */
export interface SignInSummary {
  readonly method: "apiKey" | "chatgpt" | "agentIdentity" | "personalAccessToken" | "other";
  readonly email?: string;
  readonly accountId?: string;
  readonly plan?: string;
  readonly apiKey?: Redacted.Redacted;
}

/** A stored sign-in with a digest that distinguishes it from others. */
export interface SignIn {
  readonly document: AuthDocument;
  readonly summary: SignInSummary;
  /** A digest that is the same for all documents of one sign-in, also after refreshes. */
  readonly key: string;
}

/** Summarizes a stored document; sends nothing. A broken identity is compared by its bytes. */
export const identifySignIn = (document: AuthDocument): Effect.Effect<SignIn> =>
  Effect.map(describe(document), ({ key, ...summary }) => ({ document, summary, key }));

type Described = SignInSummary & { readonly key: string };

const describe = (document: AuthDocument): Effect.Effect<Described> => {
  const mode = effectiveAuthMode(document);
  switch (mode) {
    case "apikey":
      return Effect.succeed(describeApiKey(document));
    case "personalAccessToken": {
      const key = keyOf(mode, textOf(document.personalAccessToken));
      return Effect.succeed({ method: mode, key });
    }
    case "agentIdentity":
      return describeAgent(document.agentIdentity);
    case "chatgpt":
    case "chatgptAuthTokens":
      return Effect.succeed(describeChatgpt(document));
    case "headers":
    case "bedrockApiKey":
    case "bedrockAccessKeys":
      return Effect.succeed(describeOther(document, mode));
  }
};

const describeApiKey = ({ openaiApiKey }: AuthDocument): Described => ({
  method: "apiKey",
  key: keyOf("apiKey", textOf(openaiApiKey)),
  ...(openaiApiKey !== undefined && { apiKey: openaiApiKey }),
});

const describeChatgpt = ({ tokens }: AuthDocument): Described => {
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

const describeAgent = (stored: StoredAgentIdentity | undefined): Effect.Effect<Described> =>
  agentRecord(stored).pipe(
    Effect.map((record): Described => ({
      method: "agentIdentity",
      key: keyOf("agentIdentity", record.agentRuntimeId),
      accountId: record.accountId,
      plan: record.planType,
      ...(record.email !== undefined && { email: record.email }),
    })),
    Effect.orElseSucceed((): Described => ({
      method: "agentIdentity",
      key: keyOf("broken", textOf(stored?._tag === "Jwt" ? stored.jwt : stored?.json)),
    })),
  );

const agentRecord = Effect.fnUntraced(function* (stored: StoredAgentIdentity | undefined) {
  if (stored?._tag === "Record") return yield* parseStoredAgentIdentity(recordFields(stored));
  const { unverifiedRecord } = yield* decodeUnverifiedAgentIdentityJwt(stored?.jwt ?? "");
  return unverifiedRecord;
});

/** A credential that Codex stores and that is not usable here: compared by its members. */
const describeOther = ({ unknown = [] }: AuthDocument, mode: AuthMode): Described => ({
  method: "other",
  key: keyOf(mode, ...unknown.flatMap(({ json, key }) => [textOf(key), textOf(json)])),
});

const textOf = (secret: Redacted.Redacted | undefined): string =>
  secret === undefined ? "" : Redacted.value(secret);

/** A digest, so that no secret is in a value that may be printed. */
const keyOf = (...parts: readonly string[]): string =>
  createHash("sha256").update(JSON.stringify(parts)).digest("hex");
