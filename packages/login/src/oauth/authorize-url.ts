/** The scopes of a ChatGPT sign-in: who one is, a refresh token, and the connectors. */
export const SCOPE =
  "openid profile email offline_access api.connectors.read api.connectors.invoke";

export interface AuthorizeRequest {
  /** Without a trailing slash. */
  readonly issuer: string;
  readonly clientId: string;
  readonly redirectUri: string;
  /** base64url of the SHA-256 of the verifier (RFC 7636 §4.2). */
  readonly codeChallenge: string;
  readonly state: string;
  readonly originator: string;
  /** Ids of the workspaces that may sign in; empty means any. */
  readonly allowedWorkspaceIds: ReadonlyArray<string>;
}

/**
 * The URL that a person opens, `<issuer>/oauth/authorize`. Parameters stand in the order in which this authority's
 * other clients send them (docs/protocol.md §9), spaces as `+`. It holds no secret: the challenge does not give the
 * verifier away, and the state only names this sign-in.
 */
export const authorizeUrl = (request: AuthorizeRequest): string => {
  const query = new URLSearchParams([
    ["response_type", "code"],
    ["client_id", request.clientId],
    ["redirect_uri", request.redirectUri],
    ["code_challenge", request.codeChallenge],
    ["code_challenge_method", "S256"],
    ["state", request.state],
    ["scope", SCOPE],
    ["id_token_add_organizations", "true"],
    ["codex_cli_simplified_flow", "true"],
    ["originator", request.originator],
  ]);
  if (request.allowedWorkspaceIds.length > 0) {
    query.append("allowed_workspace_id", request.allowedWorkspaceIds.join(","));
  }
  return `${request.issuer}/oauth/authorize?${query.toString()}`;
};
