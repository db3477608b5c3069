import type { HttpResponse } from "../http/response.ts";
import { json } from "../http/response.ts";
import type { RequestContext, Route } from "../http/router.ts";
import { path } from "../http/router.ts";

const metadata = ({ state }: RequestContext): HttpResponse => {
  const issuer = state.origin;
  return json(200, {
    issuer,
    authorization_endpoint: `${issuer}/oauth/authorize`,
    token_endpoint: `${issuer}/oauth/token`,
    revocation_endpoint: `${issuer}/oauth/revoke`,
    jwks_uri: `${issuer}/backend-api/wham/agent-identities/jwks`,
    response_types_supported: ["code"],
    subject_types_supported: ["public"],
    id_token_signing_alg_values_supported: ["RS256"],
    code_challenge_methods_supported: ["S256"],
    grant_types_supported: [
      "authorization_code",
      "refresh_token",
      "urn:ietf:params:oauth:grant-type:token-exchange",
    ],
    token_endpoint_auth_methods_supported: ["none"],
  });
};

/** Metadata for OAuth libraries that use discovery (RFC 8414, OpenID Connect Discovery). */
export const discoveryRoutes: ReadonlyArray<Route> = [
  {
    endpoint: "discovery",
    method: "GET",
    pattern: path("/\\.well-known/(?:openid-configuration|oauth-authorization-server)"),
    handle: metadata,
  },
];
