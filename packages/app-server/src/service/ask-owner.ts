import { toSingleLine } from "@agent-auth/agent-identity/encoding";
import * as Effect from "effect/Effect";
import * as Predicate from "effect/Predicate";
import * as Redacted from "effect/Redacted";
import { LentTokensNotRefreshed } from "../errors/index.ts";
import { ChatgptAuthTokensRefreshResponse } from "../schema/account.ts";
import type { LentTokens, TokenOwner } from "./types.ts";

/** How long a client has to answer: Codex's limit, which the error names. */
const ANSWER_WITHIN_MS = 10_000;
const timedOut = "auth refresh request timed out after 10s";

/** Asks the owner for new tokens. Errors have Codex's reasons; an error of the client adds its message, without secrets. */
export const askOwner = (
  owner: TokenOwner,
  previousAccountId: string | null,
): Effect.Effect<LentTokens, LentTokensNotRefreshed> =>
  Effect.tryPromise({
    try: (signal) => owner.refresh({ reason: "unauthorized", previousAccountId }, signal),
    catch: (refusal) => new LentTokensNotRefreshed({ reason: describeRefusal(refusal) }),
  }).pipe(
    Effect.timeoutOrElse({ duration: ANSWER_WITHIN_MS, orElse: () => notRefreshed(timedOut) }),
    Effect.flatMap((answer) => {
      const parsed = ChatgptAuthTokensRefreshResponse.safeParse(answer);
      if (!parsed.success) return notRefreshed("invalid auth refresh response");
      const { accessToken, chatgptAccountId, chatgptPlanType } = parsed.data;
      return Effect.succeed({
        accessToken: Redacted.make(accessToken, { label: "access_token" }),
        chatgptAccountId,
        ...(chatgptPlanType == null ? {} : { chatgptPlanType }),
      });
    }),
  );

const notRefreshed = (reason: string) => Effect.fail(new LentTokensNotRefreshed({ reason }));

const describeRefusal = (refusal: unknown): string => {
  const code = Predicate.hasProperty(refusal, "code") ? refusal.code : undefined;
  if (typeof code !== "number") return "auth refresh request failed: the client has disconnected";
  const text = Predicate.hasProperty(refusal, "message") ? refusal.message : undefined;
  const said = typeof text === "string" ? withoutSecrets(text) : "";
  return `auth refresh request failed: code=${code}${said === "" ? "" : ` (${said})`}`;
};

/** A client's message on one line, of at most 200 characters, without anything that looks like a token. */
const withoutSecrets = (text: string): string =>
  toSingleLine(text.replace(/[\w.~+/-]{24,}=*/g, "***"), 200);
