import { randomBytes } from "node:crypto";
import * as Effect from "effect/Effect";
import * as Redacted from "effect/Redacted";
import {
  AccessTokenUnavailable,
  type BiscuitError,
  BiscuitRefused,
  BiscuitUnreachable,
} from "../errors/index.ts";
import { HttpTransport } from "../http/index.ts";
import { quoteAnswer } from "../http/quote-body.ts";
import { type BaseUrlOptions, normalizeBaseUrl } from "../urls/index.ts";

/** What a biscuit is asked for. */
export interface MintBiscuitOptions extends BaseUrlOptions {
  /** The configured ChatGPT base; normalised here. */
  readonly baseUrl: string;
  /** The signed-in user's. Absent or blank: `AccessTokenUnavailable`. */
  readonly accessToken: Redacted.Redacted | undefined;
  /** The request that the biscuit will accompany. */
  readonly originalMethod: string;
  readonly originalUrl: string;
}

const timeoutMs = 15_000;
const biscuitHeader = "x-openai-authorization";

const requestId = (): string => `codex-agent-identity-${randomBytes(16).toString("base64url")}`;

/**
 * Mints a biscuit (first design, docs/protocol.md §5): the value that goes into `X-OpenAI-Authorization` of a
 * registration made for a signed-in user. Fails with `BiscuitError`.
 */
export const mintBiscuit = Effect.fn("mintBiscuit")(function* (
  options: MintBiscuitOptions,
): Effect.fn.Return<Redacted.Redacted, BiscuitError, HttpTransport> {
  const accessToken = options.accessToken === undefined ? "" : Redacted.value(options.accessToken);
  if (accessToken.trim() === "") return yield* new AccessTokenUnavailable();
  const base = yield* normalizeBaseUrl(options.baseUrl, options);
  const transport = yield* HttpTransport;
  const answer = yield* Effect.mapError(
    transport.request({
      method: "GET",
      url: `${base}/authenticate_app_v2`,
      headers: {
        authorization: Redacted.make(`Bearer ${accessToken}`, { label: "authorization" }),
        "X-Request-Id": requestId(),
        "X-Original-Method": options.originalMethod,
        "X-Original-Url": options.originalUrl,
      },
      timeoutMs,
    }),
    (failure) => new BiscuitUnreachable({ failure }),
  );
  const biscuit = answer.headers[biscuitHeader]?.trim() ?? "";
  const isGood = answer.status >= 200 && answer.status < 300 && biscuit !== "";
  if (!isGood) return yield* new BiscuitRefused(quoteAnswer(answer, [accessToken, biscuit]));
  return Redacted.make(biscuit, { label: "biscuit" });
});
