import * as z from "zod";
import type { HttpResponse } from "../http/response.ts";
import { json } from "../http/response.ts";
import { parseJson } from "../http/body.ts";
import type { RequestContext, Route } from "../http/router.ts";
import { path } from "../http/router.ts";
import { revokeRefreshToken } from "./tokens.ts";

const Revocation = z.discriminatedUnion("token_type_hint", [
  z.object({
    token: z.string().min(1),
    token_type_hint: z.literal("refresh_token"),
    client_id: z.string().min(1),
  }),
  z.object({ token: z.string().min(1), token_type_hint: z.literal("access_token") }),
]);

const revoke = ({ state, request }: RequestContext): HttpResponse => {
  const { token, token_type_hint } = parseJson(request, Revocation);
  if (token_type_hint === "refresh_token") revokeRefreshToken(state, token);
  else state.directory.revokeBearer(token);
  // RFC 7009 §2.2: an unknown token is a success.
  return json(200, {});
};

/** `POST /oauth/revoke` (RFC 7009, but JSON): revoking a refresh token revokes its whole sign-in. */
export const revokeRoutes: ReadonlyArray<Route> = [
  { endpoint: "revoke", method: "POST", pattern: path("/oauth/revoke"), handle: revoke },
];
