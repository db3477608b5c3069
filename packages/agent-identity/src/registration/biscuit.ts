import * as Effect from "effect/Effect";
import * as Random from "effect/Random";
import * as Redacted from "effect/Redacted";
import {
  AccessTokenUnavailable,
  type BiscuitError,
  BiscuitRejected,
  BiscuitRequestFailed,
} from "../errors/index.ts";
import { HttpTransport } from "../http/index.ts";
import { quoteResponse } from "../http/quote-response.ts";
import { isSuccessStatus } from "../http/status.ts";
import { registrationTimeoutMs } from "../http/timeouts.ts";
import { type BaseUrlOptions, normalizeBaseUrl } from "../urls/index.ts";

/** What a biscuit is minted for. */
export interface MintBiscuitOptions extends BaseUrlOptions {
  /** The configured ChatGPT base URL; normalised here. */
  readonly baseUrl: string;
  /** Access token of the signed-in user. If it is absent or blank, minting fails with `AccessTokenUnavailable`. */
  readonly accessToken: Redacted.Redacted | undefined;
  /** The request that the biscuit will accompany. */
  readonly originalMethod: string;
  readonly originalUrl: string;
}

const biscuitHeader = "x-openai-authorization";

/** 16 random bytes that identify the request; they need not be secret. */
const requestId = Effect.map(
  Effect.all(Array.from({ length: 16 }, () => Random.nextIntBetween(0, 255))),
  (bytes) => `codex-agent-identity-${Buffer.from(bytes).toString("base64url")}`,
);

/**
 * Mints a biscuit (docs/protocol.md §5): a short-lived token that the registration of a signed-in user's agent or task
 * carries in the header `X-OpenAI-Authorization`. Fails with `BiscuitError`.
 *
 * @example
 * ```ts
 * import { HttpTransport } from "@agent-auth/agent-identity/http";
 * import { mintBiscuit } from "@agent-auth/agent-identity/registration/biscuit";
 * import * as Effect from "effect/Effect";
 * import * as Redacted from "effect/Redacted";
 *
 * const headers = { "x-openai-authorization": "biscuit-123" };
 * const response = { status: 200, statusText: "OK", headers, body: "" };
 * const biscuit = mintBiscuit({
 *   baseUrl: "https://chatgpt.com/backend-api",
 *   accessToken: Redacted.make("access-token"),
 *   originalMethod: "POST",
 *   originalUrl: "https://auth.openai.com/api/accounts/v1/agent/register",
 * }).pipe(Effect.provideService(HttpTransport, { request: () => Effect.succeed(response) }));
 * await Effect.runPromise(biscuit); // Redacted
 * ```
 */
export const mintBiscuit = Effect.fn("mintBiscuit")(function* (
  options: MintBiscuitOptions,
): Effect.fn.Return<Redacted.Redacted, BiscuitError, HttpTransport> {
  const accessToken = options.accessToken === undefined ? "" : Redacted.value(options.accessToken);
  if (accessToken.trim() === "") return yield* new AccessTokenUnavailable();
  const base = yield* normalizeBaseUrl(options.baseUrl, options);
  const transport = yield* HttpTransport;
  const response = yield* Effect.mapError(
    transport.request({
      method: "GET",
      url: `${base}/authenticate_app_v2`,
      headers: {
        authorization: Redacted.make(`Bearer ${accessToken}`, { label: "authorization" }),
        "X-Request-Id": yield* requestId,
        "X-Original-Method": options.originalMethod,
        "X-Original-Url": options.originalUrl,
      },
      timeoutMs: registrationTimeoutMs,
    }),
    (failure) => new BiscuitRequestFailed({ failure }),
  );
  const biscuit = response.headers[biscuitHeader]?.trim() ?? "";
  const isSuccess = isSuccessStatus(response.status) && biscuit !== "";
  if (!isSuccess) {
    return yield* new BiscuitRejected(quoteResponse(response, [accessToken, biscuit]));
  }
  return Redacted.make(biscuit, { label: "biscuit" });
});
