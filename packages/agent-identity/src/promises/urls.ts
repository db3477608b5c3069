import * as Effect from "effect/Effect";
import * as urls from "../urls/index.ts";

/** The URL of a backend's JWKS, from its configured base (docs/protocol.md §5). Rejects with `BaseUrlError`. */
export const jwksUrl = (base: string, options?: urls.BaseUrlOptions): Promise<string> =>
  Effect.runPromise(urls.jwksUrl(base, options));

/**
 * The base of the API that registers tasks: the override, else a loopback ChatGPT base itself, else OpenAI's. Rejects with
 * `BaseUrlError`.
 */
export const taskApiBaseUrl = (...from: Parameters<typeof urls.taskApiBaseUrl>): Promise<string> =>
  Effect.runPromise(urls.taskApiBaseUrl(...from));
