import type { HttpTransport } from "@agent-auth/agent-identity/http-transport";
import type * as Effect from "effect/Effect";
import type * as Layer from "effect/Layer";
import type * as Scope from "effect/Scope";
import type { Dispatcher } from "undici";
import type { LoginEnvironment } from "./environment.ts";
import type { HttpClientError } from "./errors.ts";

export interface HttpClientOptions {
  /** First part of the User-Agent: `<name>/<version>`. Default `agent-auth`. */
  readonly userAgent?: string;
  /** Replaces `codex_cli_rs`; `CODEX_INTERNAL_ORIGINATOR_OVERRIDE` beats it. */
  readonly originator?: string;
  /** Allows plain http off loopback. Default false. */
  readonly allowInsecureHttp?: boolean;
}
export declare const layer: (
  e: LoginEnvironment,
  o?: HttpClientOptions,
) => Layer.Layer<HttpTransport>;
export declare const makeDispatcher: (
  e: LoginEnvironment,
) => Effect.Effect<Dispatcher, HttpClientError, Scope.Scope>;
