import { jwksResponse } from "@agent-auth/gateway/endpoints";
import { entityTag } from "@agent-auth/gateway/issuer";
import * as Effect from "effect/Effect";
import type { Route } from "../http/router.ts";
import { backendBase, path } from "../http/router.ts";
import { runEndpoint, webRequest } from "./gateway-endpoint.ts";

/** The key set under both URL styles (RFC 7517), with an entity tag. */
export const jwksRoutes: ReadonlyArray<Route> = [
  {
    endpoint: "jwks",
    method: "GET",
    pattern: path(`${backendBase}/agent-identities/jwks`),
    handle: async (context) => {
      const document = await context.state.keys.jwks();
      const published = { document, etag: entityTag(JSON.stringify(document)) };
      const { jwksCacheControl } = context.state.settings;
      return runEndpoint(
        context,
        Effect.sync(() => jwksResponse(webRequest(context), published, jwksCacheControl)),
      );
    },
  },
];
