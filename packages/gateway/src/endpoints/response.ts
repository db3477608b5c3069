import { parseJsonObject, type JsonObject } from "@agent-auth/agent-identity/encoding";
import * as Data from "effect/Data";
import * as Effect from "effect/Effect";
import { rejectionResponse, rejectUnavailable } from "../authentication/rejection.ts";
import type { RequestRejected, StoreUnavailable } from "../errors/index.ts";

/** An endpoint's error; the response is `{ error: { message, type, code } }`, as OpenAI's API writes it. */
export class EndpointError extends Data.TaggedError("EndpointError")<{
  readonly status: 400 | 401 | 404 | 405 | 413 | 500;
  readonly code: string;
  readonly message: string;
  readonly headers?: Readonly<Record<string, string>>;
}> {}

const types: Readonly<Record<EndpointError["status"], string>> = {
  400: "invalid_request_error",
  401: "authentication_error",
  404: "not_found_error",
  405: "invalid_request_error",
  413: "invalid_request_error",
  500: "server_error",
};

export const badRequest = (code: string, message: string): EndpointError =>
  new EndpointError({ status: 400, code, message });

/** A JSON response; `no-store` unless the headers say otherwise. */
export const json = (
  status: number,
  value: unknown,
  headers: Readonly<Record<string, string>> = {},
): Response =>
  new Response(JSON.stringify(value), {
    status,
    headers: {
      "content-type": "application/json; charset=utf-8",
      "cache-control": "no-store",
      ...headers,
    },
  });

/** How challenges are written. */
export interface ChallengeOptions {
  readonly realm: string;
  readonly acceptsBearer: boolean;
}

/** The response to an error. */
const errorResponse = (
  error: EndpointError | RequestRejected | StoreUnavailable,
  options: ChallengeOptions,
): Response => {
  if (error._tag === "EndpointError") {
    const { status, code, message, headers = {} } = error;
    return json(status, { error: { message, type: types[status], code } }, headers);
  }
  const rejected = error._tag === "StoreUnavailable" ? rejectUnavailable() : error;
  const { status, headers, body } = rejectionResponse(rejected, options);
  return new Response(body, { status, headers });
};

/**
 * Returns an endpoint that never fails: its errors become responses.
 *
 * @example
 * ```ts
 * import { EndpointError, responding } from "@agent-auth/gateway/endpoints";
 * import * as Effect from "effect/Effect";
 *
 * const error = new EndpointError({ status: 404, code: "unknown_model", message: "no such model" });
 * const challenges = { realm: "models", acceptsBearer: false };
 * const response = await Effect.runPromise(responding(error, challenges));
 * response.status; // 404
 * ```
 */
export const responding = <R>(
  endpoint: Effect.Effect<Response, EndpointError | RequestRejected | StoreUnavailable, R>,
  options: ChallengeOptions,
): Effect.Effect<Response, never, R> =>
  Effect.catch(endpoint, (error) => Effect.succeed(errorResponse(error, options)));

/** The response if the program's own code fails in a way that no code expected. */
export const unexpected = new EndpointError({
  status: 500,
  code: "internal_error",
  message: "the request could not be handled",
});

const maxBodyBytes = 65_536;

const readBytes = async (request: Request): Promise<Buffer | EndpointError> => {
  const tooLarge = new EndpointError({
    status: 413,
    code: "body_too_large",
    message: `the body is larger than ${maxBodyBytes} bytes`,
  });
  if (request.body === null) return Buffer.alloc(0);
  const pieces: Array<Uint8Array> = [];
  let size = 0;
  for await (const piece of request.body) {
    size += piece.length;
    if (size > maxBodyBytes) return tooLarge;
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
};

/** The body, a JSON object of at most 64 KiB without duplicate names. */
export const readJson = Effect.fnUntraced(function* (
  request: Request,
): Effect.fn.Return<JsonObject, EndpointError> {
  const bytes = yield* Effect.tryPromise({
    try: () => readBytes(request),
    catch: () => badRequest("invalid_body", "the body could not be read"),
  });
  if (bytes instanceof EndpointError) return yield* bytes;
  const body = parseJsonObject(bytes);
  if (typeof body === "string") {
    const code = body === "is not JSON" ? "invalid_json" : "invalid_body";
    return yield* badRequest(code, `the body ${body}`);
  }
  return body;
});

/** A member that must be a non-empty string. */
export const stringMember = (
  body: JsonObject,
  name: string,
  path = name,
): Effect.Effect<string, EndpointError> => {
  const value = body[name];
  return typeof value === "string" && value !== ""
    ? Effect.succeed(value)
    : Effect.fail(badRequest("invalid_body", `${path}: must be a non-empty string`));
};
