import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import { HttpConnectionFailed, type HttpTransportError } from "../src/errors/index.ts";
import { type HttpRequest, type HttpResponse, HttpTransport } from "../src/http/index.ts";

type Answering = (
  request: HttpRequest,
  /** Counted from 1. */
  nth: number,
) => Effect.Effect<HttpResponse, HttpTransportError>;

/** A response with defaults for its other parts. */
export const answer = (
  status: number,
  body: string,
  headers: Readonly<Record<string, string>> = {},
): HttpResponse => ({ status, statusText: "", headers, body });

export const json = (
  value: unknown,
  headers: Readonly<Record<string, string>> = {},
): HttpResponse => answer(200, JSON.stringify(value), headers);

export const refusedConnection = new HttpConnectionFailed({
  method: "GET",
  url: "https://authority.test/",
  reason: "ECONNREFUSED",
});

/** A transport whose responses a test decides and whose requests it can read. */
export const makeFakeTransport = (first: Answering) => {
  const requests: Array<HttpRequest> = [];
  let answering = first;
  const layer = Layer.succeed(
    HttpTransport,
    HttpTransport.of({
      request: (request) =>
        Effect.suspend(() => {
          requests.push(request);
          return answering(request, requests.length);
        }),
    }),
  );
  return {
    layer,
    requests,
    behave: (next: Answering) => {
      answering = next;
    },
  };
};
