import { type FetchBody, RecordedBody, snapshotBody } from "../requests/body.ts";
import { type HeadersLike, snapshotHeaders } from "../signing/header-record.ts";

/** The request of a caller of `fetch`. It does not change if the caller changes its arguments later. */
export interface CallerRequest {
  readonly url: string;
  readonly method: string;
  readonly headers: HeadersLike;
  readonly body: FetchBody | RecordedBody | undefined;
  /** The other settings. */
  readonly init: RequestInit;
}

/** Reads the two arguments of fetch. `init` overrides a `Request`'s own settings, as in the Fetch standard. */
export const readRequest = (
  input: string | URL | Request,
  init: RequestInit | undefined,
): CallerRequest => {
  if (typeof input === "string") return callerRequest(input, init ?? {});
  if (input instanceof URL) return callerRequest(input.href, init ?? {});
  const given = definedSettings(init ?? {});
  const body =
    given.body === undefined && input.body !== null ? new RecordedBody(input.body) : undefined;
  return callerRequest(input.url, { ...settingsOf(input), ...given }, body);
};

const callerRequest = (url: string, init: RequestInit, recorded?: RecordedBody): CallerRequest => {
  const { body, headers } = init;
  return {
    url,
    method: init.method ?? "GET",
    headers: headers === undefined || headers === null ? {} : snapshotHeaders(headers),
    body: body === undefined || body === null ? recorded : snapshotBody(body),
    init,
  };
};

/** A setting that is `undefined` counts as absent, and so does a body of `null`, which does not remove the Request's. */
const definedSettings = (init: RequestInit): RequestInit => {
  const settings: RequestInit = { ...init };
  for (const name of Object.keys(settings))
    if (Reflect.get(settings, name) === undefined) Reflect.deleteProperty(settings, name);
  if (settings.body === null) delete settings.body;
  return settings;
};

/**
 * Returns the settings of a `Request`. Node's and undici's `Request` are two classes, and neither fetch accepts the
 * other's. Both accept these settings.
 */
const settingsOf = (request: Request): RequestInit => ({
  method: request.method,
  headers: request.headers,
  signal: request.signal,
  redirect: request.redirect,
  integrity: request.integrity,
  keepalive: request.keepalive,
  ...(request.body === null ? {} : { duplex: "half" }),
});
