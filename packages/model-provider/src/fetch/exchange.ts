import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import * as Result from "effect/Result";
import { AccountChanged, type ModelProviderError, RedirectRefused } from "../errors/index.ts";
import type { RequestSignerShape } from "../signing/request-signer.ts";
import { headerRecord, lasting, type SignedHeaders } from "../signing/signed-headers.ts";
import { checkMethod } from "../requests/check-method.ts";
import { resolveDestination, withQuery } from "../requests/destination.ts";
import { discard } from "../requests/discard.ts";
import type { CallerRequest } from "./read-request.ts";
import { isRedirect, maxRedirects, type Redirectable, redirected } from "../requests/redirect.ts";
import { isReplayable } from "../requests/replay.ts";
import { maxRecoveries, retryInMs, type RetryPolicy } from "../requests/retry-policy.ts";
import { mayRepeat } from "../requests/same-account.ts";
import type { Send, SendInit } from "./undici-send.ts";
import { pause, waitFor } from "../requests/wait-for.ts";

export interface ExchangePolicy {
  readonly retry: RetryPolicy;
  readonly otherOrigins: "withoutIdentity" | "refuse";
  readonly onRecoveryFailed: (error: ModelProviderError) => void;
}

export interface ExchangeTools {
  readonly signer: RequestSignerShape;
  readonly policy: ExchangePolicy;
  readonly send: Send;
}

/** One call of an authenticated fetch, from the first attempt to the answer that the caller gets. */
export const exchange = async (
  tools: ExchangeTools,
  { url: asked, init }: CallerRequest,
  signed: SignedHeaders,
): Promise<Response> => {
  const follows = (init.redirect ?? "follow") === "follow";
  const { url, isOurs } = resolveDestination(asked, signed.target, tools.policy.otherOrigins);
  if (isOurs) checkMethod(init.method ?? "GET");
  let request: Redirectable = {
    url: isOurs ? withQuery(url, tools.signer.provider.queryParams) : url,
    method: init.method ?? "GET",
    headers:
      init.headers === undefined || init.headers === null ? undefined : lasting(init.headers),
    body: init.body ?? undefined,
  };
  let identity = isOurs ? signed : null;
  for (let redirects = 0; ; redirects++) {
    const response = await attempts(tools, request, init, identity);
    const location =
      follows && isRedirect(response.status) ? response.headers.get("location") : null;
    if (location === null) return redirects === 0 ? response : markRedirected(response);
    await discard(response);
    if (redirects === maxRedirects)
      throw new RedirectRefused({ reason: "tooMany", status: response.status });
    request = redirected(request, response.status, location);
    identity = await identityAfterRedirect(tools, request.url, identity, init);
    if (identity !== null && !mayRepeat(signed, identity))
      throw new RedirectRefused({ reason: "accountChanged", status: response.status });
  }
};

/** Once a redirect has left the provider's origin, nothing that comes after it gets an identity. */
const identityAfterRedirect = async (
  tools: ExchangeTools,
  url: string,
  identity: SignedHeaders | null,
  init: RequestInit,
): Promise<SignedHeaders | null> =>
  identity === null || new URL(url).origin !== identity.target.origin
    ? null
    : freshHeaders(tools, init);

/** Headers of whoever is signed in now, which need not be who was before. */
const freshHeaders = async ({ signer }: ExchangeTools, init: RequestInit): Promise<SignedHeaders> =>
  signer.signNow() ?? (await waitFor(Effect.runPromise(signer.sign()), init.signal));

/** Whether another account is known to have signed in. Where that takes a wait, it shows after the wait. */
const hasChanged = ({ signer }: ExchangeTools, earlier: SignedHeaders | null): boolean => {
  const signed = earlier === null ? null : signer.signNow();
  return earlier !== null && signed !== null && !mayRepeat(earlier, signed);
};

/**
 * The attempts at one URL: the first, those after a recovery, and the configured retries, all of them for the account
 * of the first. Where another one signs in, the last answer is the caller's; `AccountChanged` where it is gone.
 */
const attempts = async (
  tools: ExchangeTools,
  request: Redirectable,
  init: RequestInit,
  identity: SignedHeaders | null,
): Promise<Response> => {
  let current = identity;
  let recoveries = 0;
  let retries = 0;
  for (;;) {
    let outcome: Outcome;
    try {
      outcome = { response: await tools.send(request.url, written(request, init, current)) };
    } catch (error) {
      outcome = { error };
    }
    if (current !== null && recoveries < maxRecoveries && outcome.response?.status === 401) {
      const next = await recovered(tools, outcome.response, current, init);
      const isUsable = identity !== null && next !== null && mayRepeat(identity, next);
      if (!isUsable || !isReplayable(request.body)) return outcome.response;
      recoveries++;
      await discard(outcome.response);
      current = next;
      continue;
    }
    const { response } = outcome;
    const delayMs = nextDelayMs(tools.policy.retry, outcome, request, retries, init);
    if (response !== undefined && (delayMs === null || hasChanged(tools, identity)))
      return response;
    if (delayMs === null) throw outcome.error;
    retries++;
    if (response !== undefined) await discard(response);
    await pause(delayMs, init.signal);
    if (identity === null) continue;
    current = await freshHeaders(tools, init);
    if (!mayRepeat(identity, current))
      throw new AccountChanged(response === undefined ? {} : { status: response.status });
  }
};

type Outcome =
  | { readonly response: Response; readonly error?: undefined }
  | { readonly response?: undefined; readonly error: unknown };

/** What one attempt sends. Redirects are followed here and not by fetch, which knows too little of identities. */
const written = (
  { method, headers, body }: Redirectable,
  init: RequestInit,
  identity: SignedHeaders | null,
): SendInit => ({
  ...init,
  method,
  headers: identity?.applyTo(headers) ?? headerRecord(headers ?? {}),
  body: body ?? null,
  redirect: (init.redirect ?? "follow") === "follow" ? "manual" : (init.redirect ?? "manual"),
});

/** Also where the body cannot be sent again: the next request should not meet the same 401. */
const recovered = async (
  { signer, policy }: ExchangeTools,
  response: Response,
  rejected: SignedHeaders,
  init: RequestInit,
): Promise<SignedHeaders | null> => {
  try {
    const result = await waitFor(
      Effect.runPromise(Effect.result(signer.recover(rejected))),
      init.signal,
    );
    if (Result.isFailure(result)) {
      policy.onRecoveryFailed(result.failure);
      return null;
    }
    return Option.getOrNull(result.success);
  } catch (aborted) {
    void discard(response);
    throw aborted;
  }
};

const nextDelayMs = (
  policy: RetryPolicy,
  { response, error }: Outcome,
  request: Redirectable,
  retries: number,
  init: RequestInit,
): number | null => {
  if (init.signal?.aborted === true) return null;
  const outcome =
    response === undefined
      ? { error }
      : { status: response.status, retryAfter: () => response.headers.get("retry-after") };
  return retryInMs(policy, retries, request.body, outcome);
};

const markRedirected = (response: Response): Response =>
  Object.defineProperty(response, "redirected", { value: true });
