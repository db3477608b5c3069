/** The scopes of a ChatGPT sign-in: identity, a refresh token, and the connectors. */
const scope = "openid profile email offline_access api.connectors.read api.connectors.invoke";

export interface AuthorizeRequest {
  /** Without a trailing slash. */
  readonly issuer: string;
  readonly clientId: string;
  readonly redirectUri: string;
  /** base64url of the SHA-256 of the code verifier (RFC 7636 §4.2). */
  readonly codeChallenge: string;
  readonly state: string;
  readonly originator: string;
  /** Ids of the workspaces that may sign in; empty means any. */
  readonly allowedWorkspaceIds: ReadonlyArray<string>;
  readonly workspace?: SignInWorkspace;
}

/** The workspace that a person signs in to, chosen before the sign-in page is opened. */
export interface SignInWorkspace {
  readonly id: string;
  /** The email address that the page suggests. */
  readonly loginHint?: string;
  /** The workspace's single sign-on connection, as the backend names it. */
  readonly connection?: string;
}

/**
 * Returns the URL that a person opens to sign in, `<issuer>/oauth/authorize`. The parameters are in the order that
 * Codex sends (docs/protocol.md §9), with spaces as `+`. The URL contains `state`: anyone who knows it can complete the
 * sign-in with another account, so it must not be in the arguments of a process.
 */
export const authorizeUrl = (request: AuthorizeRequest): string => {
  const query = new URLSearchParams([
    ["response_type", "code"],
    ["client_id", request.clientId],
    ["redirect_uri", request.redirectUri],
    ["code_challenge", request.codeChallenge],
    ["code_challenge_method", "S256"],
    ["state", request.state],
    ["scope", scope],
    ["id_token_add_organizations", "true"],
    ["codex_cli_simplified_flow", "true"],
    ["originator", request.originator],
  ]);
  if (request.allowedWorkspaceIds.length > 0) {
    query.append("allowed_workspace_id", request.allowedWorkspaceIds.join(","));
  }
  const { workspace } = request;
  if (workspace !== undefined) {
    query.append("current_workspace_id", workspace.id);
    if (workspace.loginHint !== undefined) query.append("login_hint", workspace.loginHint);
    if (workspace.connection !== undefined) query.append("connection", workspace.connection);
  }
  return `${request.issuer}/oauth/authorize?${query.toString()}`;
};
