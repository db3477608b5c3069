import { isSuccessStatus } from "@agent-auth/agent-identity/http";
import { requestTimeoutMs } from "@agent-auth/agent-identity/http/timeouts";
import type { Credential } from "@agent-auth/login/credential";
import type { ModelProviderClient } from "@agent-auth/model-provider/promises";
import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import * as Redacted from "effect/Redacted";
import { BackendRequestFailed } from "../../errors/index.ts";
import { workspaceOf } from "../account-info.ts";
import { statusLine } from "../completed-text.ts";
import type { AccountManager, AccountServiceOptions } from "../types.ts";

export interface BackendRequestsOptions {
  /** The URL of the account's endpoints. */
  readonly base: string;
  readonly options: AccountServiceOptions;
  readonly manager: AccountManager;
  readonly originator: () => string;
  /** Runs an Effect in the context of the service. */
  readonly run: <A, E>(effect: Effect.Effect<A, E>) => Promise<A>;
}

export interface BackendRequest {
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly body?: object;
  readonly headers?: Readonly<Record<string, string>>;
  /** For errors: `failed to …`. */
  readonly attempt: string;
  readonly credential: Credential;
}

interface BackendAnswer {
  readonly status: number;
  readonly type: string;
  readonly text: string;
}

const MAX_BODY_BYTES = 1024 * 1024;
const MAX_QUOTED = 4_096;

/** Sends requests to the backend of the account, even if model requests go to another provider. */
export class BackendRequests {
  readonly #options: BackendRequestsOptions;
  #client: Promise<ModelProviderClient> | undefined;

  constructor(options: BackendRequestsOptions) {
    this.#options = options;
  }

  /** Sends a request and returns the body of its response. Fails for a status other than 2xx. */
  send(request: BackendRequest): Effect.Effect<string, BackendRequestFailed> {
    const { attempt, method } = request;
    const url = `${this.#baseFor(request.credential)}${request.path}`;
    const failed = (reason: string) => new BackendRequestFailed({ attempt, reason });
    return Effect.tryPromise({
      try: (signal) => this.#fetch(url, request, signal),
      catch: (error) => failed(error instanceof Error ? error.message : "the request failed"),
    }).pipe(
      Effect.timeoutOrElse({
        duration: requestTimeoutMs,
        orElse: () =>
          Effect.fail(failed(`${method} ${url} timed out after ${requestTimeoutMs / 1000}s`)),
      }),
      Effect.flatMap(({ status, text, type }) => {
        if (isSuccessStatus(status)) return Effect.succeed(text);
        const secrets = Option.getOrNull(this.#options.manager.snapshot());
        const reason = `${method} ${url} failed: ${statusLine(status)}; content-type=${type}; body=${quotable(text, secrets)}`;
        return Effect.fail(new BackendRequestFailed({ attempt, status, reason }));
      }),
    );
  }

  get close(): Effect.Effect<void> {
    return Effect.promise(async () => {
      const opened = await this.#client?.catch(() => undefined);
      await opened?.close();
    });
  }

  #baseFor(credential: Credential): string {
    const { base } = this.#options;
    const origin = workspaceOf(credential)?.origin;
    return origin === undefined ? base : `${origin}${new URL(base).pathname}`;
  }

  async #fetch(
    url: string,
    { body, headers, method }: BackendRequest,
    signal: AbortSignal,
  ): Promise<BackendAnswer> {
    const { fetch } = await (this.#client ??= this.#open());
    const json = body !== undefined && { "content-type": "application/json" };
    const response = await fetch(url, {
      method,
      signal,
      headers: { ...headers, ...json },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await readText(response);
    return { status: response.status, text, type: response.headers.get("content-type") ?? "" };
  }

  async #open(): Promise<ModelProviderClient> {
    const { manager, options, originator, run } = this.#options;
    const { createModelProvider } = await import("@agent-auth/model-provider/promises");
    const { openaiBaseUrl: _, modelProvider: __, ...config } = options.config;
    return createModelProvider({
      manager: {
        current: () => run(Effect.map(manager.current, Option.getOrNull)),
        recoverUnauthorized: (rejected) =>
          run(Effect.map(manager.recoverUnauthorized(rejected), Option.getOrNull)),
      },
      environment: options.environment,
      config: { ...config, modelProviders: new Map() },
      originator: originator(),
      allowInsecureHttp: options.allowInsecureHttp ?? false,
    });
  }
}

/** The body as text. Its bytes are counted after decompression: a small response can become gigabytes. */
const readText = async (response: Response): Promise<string> => {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.byteLength;
    // Leaving the loop ends the response.
    if (bytes > MAX_BODY_BYTES) throw new Error("the response is longer than 1 MiB");
    chunks.push(chunk);
  }
  return new TextDecoder().decode(Buffer.concat(chunks));
};

/**
 * Returns the start of a body without credentials, which an error page may repeat. Control characters other than line
 * breaks and tabs become spaces.
 */
const quotable = (body: string, credential: Credential | null): string =>
  Object.values(credential ?? {})
    .filter(Redacted.isRedacted)
    .reduce((text, secret) => text.replaceAll(String(Redacted.value(secret)), "***"), body)
    .slice(0, MAX_QUOTED)
    .replace(/\b(Bearer|AgentAssertion)\s+[^\s"'<>]+/giu, "$1 ***")
    .replace(/\beyJ[\w-]*\.[\w-]*(?:\.[\w-]*)?/gu, "***")
    .replace(/[^\P{Cc}\n\t]/gu, " ");
