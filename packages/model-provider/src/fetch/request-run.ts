import { isRedirectStatus } from "@agent-auth/agent-identity/http";
import { parseRetryAfterMs } from "@agent-auth/agent-identity/http/retry-after";
import * as Option from "effect/Option";
import * as Result from "effect/Result";
import * as Effect from "effect/Effect";
import { AccountChanged, RedirectNotFollowed } from "../errors/index.ts";
import { discard, isReplayable, RecordedBody } from "../requests/body.ts";
import { assertMethodAllowed, resolveDestination, withQuery } from "../requests/destination.ts";
import {
  initialState,
  isFinalStatus,
  isIdempotent,
  nextAction,
  type RequestFacts,
} from "../requests/next-action.ts";
import { makeRetryWait, type RequestTools, type RetryWait } from "../requests/options.ts";
import { maxRedirects, type Redirectable, redirected } from "../requests/redirect.ts";
import { headerRecord } from "../signing/header-record.ts";
import type { SignedHeaders } from "../signing/signed-headers.ts";
import type { CallerRequest } from "./read-request.ts";
import type { SendInit, SendRequest } from "./undici-fetch.ts";

/** What all requests of one authenticated fetch share. */
export interface FetchTools extends RequestTools {
  readonly send: SendRequest;
}

/** Runs one call of an authenticated fetch: sends it, repeats it, follows redirects, and returns the caller's response. */
export const runRequest = async (
  tools: FetchTools,
  asked: CallerRequest,
  signed: SignedHeaders,
): Promise<Response> => {
  const { init } = asked;
  const follows = (init.redirect ?? "follow") === "follow";
  const { url, isProviderOrigin } = resolveDestination(
    asked.url,
    signed.target,
    tools.otherOrigins,
  );
  if (isProviderOrigin) assertMethodAllowed(asked.method);
  let request: Redirectable = {
    url: isProviderOrigin ? withQuery(url, tools.signer.provider.queryParams) : url,
    method: asked.method,
    headers: asked.headers,
    body: asked.body,
  };
  let credential = isProviderOrigin ? signed : null;
  try {
    for (let redirects = 0; ; redirects++) {
      const response = await runAttempts(tools, request, init, credential);
      const location =
        follows && isRedirectStatus(response.status) ? response.headers.get("location") : null;
      if (location === null) return redirects === 0 ? response : markRedirected(response);
      await discard(response);
      if (redirects === maxRedirects)
        throw new RedirectNotFollowed({ reason: "tooMany", status: response.status });
      request = redirected(request, response.status, location);
      // Once a redirect has left the provider's origin, no later request gets a credential.
      if (credential !== null && new URL(request.url).origin !== credential.target.origin)
        credential = null;
      if (credential !== null) {
        credential = await freshHeaders(tools, init);
        if (!signed.mayBeReplacedBy(credential))
          throw new RedirectNotFollowed({ reason: "accountChanged", status: response.status });
      }
    }
  } finally {
    if (asked.body instanceof RecordedBody) asked.body.finish();
  }
};

/** Headers of the current sign-in, which may be another account than before. */
const freshHeaders = async (
  { signer, runtime }: FetchTools,
  init: RequestInit,
): Promise<SignedHeaders> => signer.signNow() ?? (await runtime.run(signer.sign(), init.signal));

/**
 * Sends a request to one URL until there is an outcome for the caller, every time for the account of `first` (`null`:
 * without a credential). Rejects with `AccountChanged` if another account signs in and the last response is gone.
 */
const runAttempts = async (
  tools: FetchTools,
  request: Redirectable,
  init: RequestInit,
  first: SignedHeaders | null,
): Promise<Response> => {
  let current = first;
  let state = initialState(tools.retry);
  let wait: RetryWait | undefined;
  const facts = (): RequestFacts => ({
    isAuthenticated: current?.canRecover === true,
    isReplayable: isReplayable(request.body),
    isIdempotent: isIdempotent(request.method, () => Object.keys(headerRecord(request.headers))),
    isAccountChanged: first !== null && isKnownToDiffer(first, tools.signer.signNow()),
  });
  for (;;) {
    let response: Response | undefined;
    let error: unknown;
    try {
      response = await tools.send(request.url, attemptInit(request, init, current));
    } catch (thrown) {
      error = thrown;
    }
    if (response !== undefined && isFinalStatus(response.status)) return response;
    let [action, next] = nextAction(
      state,
      response === undefined
        ? { _tag: "Failed", error, isAborted: init.signal?.aborted === true, ...facts() }
        : {
            _tag: "Answered",
            status: response.status,
            retryAfterMs: parseRetryAfterMs(
              response.headers.get("retry-after"),
              tools.runtime.nowMs(),
            ),
            ...facts(),
          },
    );
    if (action._tag === "Recover" && response !== undefined && current !== null) {
      const recovered = await recover(tools, response, current, first, init);
      [action, next] = nextAction(next, {
        _tag: "Recovered",
        hasCredential: recovered !== null,
        isReplayable: isReplayable(request.body),
      });
      current = recovered ?? current;
    }
    state = next;
    if (action._tag === "SendAgain" || action._tag === "SendRecovered") {
      if (response !== undefined) await discard(response);
      if (action._tag === "SendRecovered") continue;
      wait ??= makeRetryWait(tools.retry);
      await tools.runtime.runInterruptible(wait(action.delayMs), init.signal);
      if (first === null) continue;
      current = await freshHeaders(tools, init);
      if (!first.mayBeReplacedBy(current))
        throw new AccountChanged(response === undefined ? {} : { status: response.status });
      continue;
    }
    if (response === undefined) throw error;
    return response;
  }
};

/** Whether another account is known to have signed in. If that is not known yet, it is checked after the wait. */
const isKnownToDiffer = (first: SignedHeaders, now: SignedHeaders | null): boolean =>
  now !== null && !first.mayBeReplacedBy(now);

/** What one attempt sends. Redirects are followed by us, since fetch does not know which headers are credentials. */
const attemptInit = (
  { method, headers, body }: Redirectable,
  init: RequestInit,
  credential: SignedHeaders | null,
): SendInit => ({
  ...init,
  method,
  headers: credential === null ? headerRecord(headers) : credential.mergeInto(headers),
  body: body instanceof RecordedBody ? body.stream() : (body ?? null),
  redirect: (init.redirect ?? "follow") === "follow" ? "manual" : (init.redirect ?? "manual"),
});

const recover = async (
  { signer, runtime, onRecoveryFailed }: FetchTools,
  response: Response,
  rejected: SignedHeaders,
  first: SignedHeaders | null,
  init: RequestInit,
): Promise<SignedHeaders | null> => {
  try {
    const result = await runtime.run(
      Effect.result(signer.recover(rejected, first ?? rejected)),
      init.signal,
    );
    if (Result.isSuccess(result)) return Option.getOrNull(result.success);
    onRecoveryFailed(result.failure);
    return null;
  } catch (aborted) {
    void discard(response);
    throw aborted;
  }
};

const markRedirected = (response: Response): Response =>
  Object.defineProperty(response, "redirected", { value: true });
