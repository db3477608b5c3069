import { Readable } from "node:stream";
import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import * as ManagedRuntime from "effect/ManagedRuntime";
import * as Stream from "effect/Stream";
import * as HttpBody from "effect/http/HttpBody";
import * as HttpClient from "effect/http/HttpClient";
import * as HttpClientError from "effect/http/HttpClientError";
import * as HttpClientRequest from "effect/http/HttpClientRequest";
import { Agent } from "undici";
import { createAuthenticatedFetch, type RequestOptions } from "../../src/fetch/index.ts";
import * as EffectHttpClient from "../../src/fetch/effect-http-client.ts";
import type { RequestSignerShape } from "../../src/signing/request-signer.ts";
import { RequestSigner } from "../../src/signing/index.ts";
import { authInterceptor } from "../../src/dispatcher/index.ts";

export interface TestRequest {
  readonly method?: "GET" | "HEAD" | "POST" | "TRACE";
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array<ArrayBuffer> | AsyncIterable<Uint8Array>;
  readonly signal?: AbortSignal;
}

export interface TestResponse {
  readonly status: number;
  readonly chunks: AsyncIterable<Uint8Array>;
}

/** One of the clients that send authenticated requests, as the contract tests use it. */
export interface TestClient {
  readonly send: (url: string, request?: TestRequest) => Promise<TestResponse>;
  /** The typed reason inside what `send` rejects with. */
  readonly reason: (error: unknown) => unknown;
  /** What `send` rejects with after an abort with this reason. */
  readonly aborted: (reason: Error) => { readonly message: string };
  readonly close: () => Promise<void>;
}

export type MakeClient = (
  options: RequestOptions & { readonly signer: RequestSignerShape },
) => TestClient;

export const textOf = async (answer: TestResponse): Promise<string> => {
  const parts: Array<Uint8Array> = [];
  for await (const part of answer.chunks) parts.push(part);
  return Buffer.concat(parts).toString();
};

const none: AsyncIterable<Uint8Array> = Readable.from([]);

export const fetchClient: MakeClient = (options) => {
  const agent = new Agent();
  const authenticated = createAuthenticatedFetch({ ...options, dispatcher: agent });
  return {
    send: async (url, { body, ...request } = {}) => {
      const sent =
        body === undefined
          ? {}
          : typeof body === "string" || body instanceof Uint8Array
            ? { body }
            : { body, duplex: "half" as const };
      const response = await authenticated(url, { ...request, ...sent });
      return { status: response.status, chunks: response.body ?? none };
    },
    reason: (error) => error,
    aborted: ({ message }) => ({ message }),
    close: () => agent.close(),
  };
};

export const interceptorClient: MakeClient = (options) => {
  const agent = new Agent();
  const composed = agent.compose(authInterceptor(options));
  return {
    send: async (url, { body, ...request } = {}) => {
      const to = new URL(url);
      const answer = await composed.request({
        origin: to.origin,
        path: to.pathname + to.search,
        method: request.method ?? "GET",
        ...(request.headers === undefined ? {} : { headers: request.headers }),
        ...(request.signal === undefined ? {} : { signal: request.signal }),
        ...(body === undefined
          ? {}
          : {
              body:
                typeof body === "string" || body instanceof Uint8Array ? body : Readable.from(body),
            }),
      });
      return { status: answer.statusCode, chunks: answer.body };
    },
    reason: (error) => error,
    aborted: ({ message }) => ({ message }),
    close: () => agent.close(),
  };
};

export const effectClient: MakeClient = ({ signer, context, ...options }) => {
  const agent = new Agent();
  const runtime = ManagedRuntime.make(
    EffectHttpClient.layer({ ...options, dispatcher: agent }).pipe(
      Layer.provide(Layer.succeed(RequestSigner, signer)),
    ),
  );
  return {
    send: async (url, { body, method, headers, signal } = {}) => {
      const request = HttpClientRequest.make(method ?? "GET")(url, {
        ...(headers === undefined ? {} : { headers }),
        body: bodyOf(body),
      });
      const response = await runtime.runPromise(
        Effect.provideContext(HttpClient.execute(request), context ?? Context.empty()),
        signal === undefined ? {} : { signal },
      );
      return { status: response.status, chunks: Stream.toAsyncIterable(response.stream) };
    },
    reason: (error) =>
      HttpClientError.isHttpClientError(error) ? EffectHttpClient.signFailure(error) : error,
    aborted: () => ({ message: "All fibers interrupted without error" }),
    close: async () => {
      await runtime.dispose();
      await agent.close();
    },
  };
};

const bodyOf = (body: TestRequest["body"]) => {
  if (body === undefined) return HttpBody.empty;
  if (typeof body === "string") return HttpBody.text(body);
  return body instanceof Uint8Array
    ? HttpBody.uint8Array(body)
    : HttpBody.stream(Stream.fromAsyncIterable(body, (error) => error));
};
