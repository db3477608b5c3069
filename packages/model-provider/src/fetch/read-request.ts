/** What a caller of `fetch` asked for, with a `Request` taken apart. */
export interface CallerRequest {
  readonly url: string;
  readonly init: RequestInit;
}

/** Reads fetch's two arguments. `init` wins over a `Request`'s own settings, as in the Fetch standard. */
export const readRequest = (
  input: string | URL | Request,
  init: RequestInit | undefined,
): CallerRequest => {
  if (typeof input === "string") return { url: input, init: init ?? {} };
  if (input instanceof URL) return { url: input.href, init: init ?? {} };
  return { url: input.url, init: { ...settingsOf(input), ...given(init ?? {}) } };
};

/** A setting that is `undefined` is none, and neither is a body of `null`, which would take the Request's away. */
const given = (init: RequestInit): RequestInit => {
  const settings: RequestInit = { ...init };
  for (const name of Object.keys(settings))
    if (Reflect.get(settings, name) === undefined) Reflect.deleteProperty(settings, name);
  if (settings.body === null) delete settings.body;
  return settings;
};

/** Node's Request and undici's are two classes, and neither takes the other; their settings fit both. */
const settingsOf = (request: Request): RequestInit => ({
  method: request.method,
  headers: request.headers,
  signal: request.signal,
  redirect: request.redirect,
  integrity: request.integrity,
  keepalive: request.keepalive,
  ...(request.body === null ? {} : { body: request.body, duplex: "half" }),
});
