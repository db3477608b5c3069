import { HttpTransport } from "@agent-auth/agent-identity/http";
import * as Effect from "effect/Effect";
import * as Redacted from "effect/Redacted";
import type { Account } from "../credential/index.ts";
import { PersonalAccessTokenLookupFailed, PersonalAccessTokenRejected } from "../errors/index.ts";
import { compact } from "../internal/compact.ts";
import { parseWhoami } from "./whoami.ts";

const timeoutMs = 10_000;

/** Base of the accounts API where the environment names no other. */
export const defaultAuthApiBaseUrl = "https://auth.openai.com/api/accounts";

/** Asks the accounts API whose token this is (docs/protocol.md §5). One request, 10 s, not tried again. */
export const lookUpPersonalAccessToken = Effect.fn("login.lookUpPersonalAccessToken")(function* (
  token: Redacted.Redacted,
  authApiBaseUrl: string,
): Effect.fn.Return<
  Account,
  PersonalAccessTokenRejected | PersonalAccessTokenLookupFailed,
  HttpTransport
> {
  const transport = yield* HttpTransport;
  const answer = yield* transport
    .request({
      method: "GET",
      url: `${authApiBaseUrl.replace(/\/+$/, "")}/v1/user-auth-credential/whoami`,
      headers: {
        accept: "application/json",
        authorization: Redacted.make(`Bearer ${Redacted.value(token)}`, { label: "authorization" }),
      },
      timeoutMs,
    })
    .pipe(
      Effect.mapError((error) => new PersonalAccessTokenLookupFailed({ reason: error.message })),
    );
  const { status } = answer;
  if (status === 401 || status === 403) return yield* new PersonalAccessTokenRejected({ status });
  if (status < 200 || status >= 300) {
    return yield* new PersonalAccessTokenLookupFailed({
      status,
      reason: `the accounts API answered with status ${status}`,
    });
  }
  const read = parseWhoami(answer.body);
  if ("account" in read) return read.account;
  return yield* new PersonalAccessTokenLookupFailed(
    compact({ status, reason: describeInvalid(read.invalid) }),
  );
});

const describeInvalid = (members: ReadonlyArray<string>): string =>
  members.length === 0
    ? "the answer is not JSON"
    : `the answer lacks, or has no usable, ${members.join(", ")}`;
