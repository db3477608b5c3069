/** An HTTP response. A body that is an async iterable is streamed as it comes. */
export interface HttpResponse {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array | AsyncIterable<string | Uint8Array>;
}

export const json = (
  status: number,
  value: unknown,
  headers: Readonly<Record<string, string>> = {},
): HttpResponse => ({
  status,
  headers: { "content-type": "application/json; charset=utf-8", ...headers },
  body: JSON.stringify(value),
});

export const redirect = (location: string): HttpResponse => ({
  status: 302,
  headers: { location, "cache-control": "no-store", "referrer-policy": "no-referrer" },
  body: "",
});

/** The `type` of OpenAI's error objects. */
export type HttpErrorType =
  | "invalid_request_error"
  | "authentication_error"
  | "permission_error"
  | "not_found_error"
  | "server_error";

/** Thrown by an endpoint; the response is `{ error: { message, type, code } }`. */
export class HttpError extends Error {
  readonly status: number;
  readonly type: HttpErrorType;
  readonly code: string;
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    status: number,
    type: HttpErrorType,
    code: string,
    message: string,
    headers: Readonly<Record<string, string>> = {},
  ) {
    super(message);
    this.name = "HttpError";
    this.status = status;
    this.type = type;
    this.code = code;
    this.headers = headers;
  }

  toResponse(): HttpResponse {
    const { message, type, code } = this;
    return json(this.status, { error: { message, type, code } }, this.headers);
  }
}

export const badRequest = (code: string, message: string): HttpError =>
  new HttpError(400, "invalid_request_error", code, message);

export const unauthorized = (code: string, message: string): HttpError =>
  new HttpError(401, "authentication_error", code, message);

export const forbidden = (code: string, message: string): HttpError =>
  new HttpError(403, "permission_error", code, message);

export const notFound = (code: string, message: string): HttpError =>
  new HttpError(404, "not_found_error", code, message);
