import type { HttpResponse } from "../http/response.ts";
import { json } from "../http/response.ts";
import type { RequestContext, Route } from "../http/router.ts";
import { backendBase, path } from "../http/router.ts";
import { entityTag } from "../identities/signing-keys.ts";

const serve = async ({ state, request }: RequestContext): Promise<HttpResponse> => {
  const keys = await state.keys.jwks();
  const etag = entityTag(JSON.stringify(keys));
  const { jwksCacheControl } = state.settings;
  const headers = {
    etag,
    ...(jwksCacheControl === null ? {} : { "cache-control": jwksCacheControl }),
  };
  const known = (request.headers["if-none-match"] ?? "").split(/\s*,\s*/);
  return known.includes(etag) || known.includes("*")
    ? { status: 304, headers }
    : json(200, keys, headers);
};

/** The key set under both URL styles (RFC 7517), with an entity tag. */
export const jwksRoutes: ReadonlyArray<Route> = [
  {
    endpoint: "jwks",
    method: "GET",
    pattern: path(`${backendBase}/agent-identities/jwks`),
    handle: serve,
  },
];
