import { STATUS_CODES } from "node:http";
import type { LoginError } from "@agent-auth/login/errors";

export type LoginKind = "browser" | "device";

/** The text of `account/login/completed` for a login that was cancelled. */
export const cancelledText = (kind: LoginKind): string =>
  kind === "browser" ? "Login server error: Login was not completed" : "Login was not completed";

/** The text for a browser login whose port another login took over. */
export const takenOverText = "Login server error: Login cancelled";

/** The text for a login that failed: Codex's text if it has one. */
export const failedText = (kind: LoginKind, error: LoginError): string => {
  if (error._tag === "SignInTimedOut") return "Login timed out";
  return kind === "device" ? deviceText(error) : `Login server error: ${browserText(error)}`;
};

const browserText = (error: LoginError): string => {
  switch (error._tag) {
    case "AuthorizationCodeMissing":
      return "Missing authorization code. Sign-in could not be completed.";
    case "AuthorizationDenied":
      return `Sign-in failed: ${error.description ?? "access_denied"}`;
    case "AuthorizationFailed":
      return `Sign-in failed: ${error.description ?? error.error}`;
    case "CodexEntitlementMissing":
      return "Codex is not enabled for your workspace. Contact your workspace administrator to request access to Codex.";
    case "CodeExchangeRejected":
      return `Token exchange failed: token endpoint returned status ${statusLine(error.status)}${reasonOf(error)}`;
    case "SignInCancelled":
      return "Login cancelled";
    default:
      return error.message;
  }
};

const deviceText = (error: LoginError): string => {
  switch (error._tag) {
    case "DeviceCodeRejected":
      return `device auth failed with status ${statusLine(error.status)}`;
    case "DeviceCodeExpired":
      return "device auth timed out after 15 minutes";
    case "CodeExchangeRejected":
      return `Token exchange failed: token endpoint returned status ${statusLine(error.status)}${reasonOf(error)}`;
    default:
      return error.message;
  }
};

const reasonOf = ({ description, error }: { description?: string; error?: string }): string => {
  const reason = description ?? error;
  return reason === undefined ? "" : `: ${reason}`;
};

/** As Rust's HTTP library prints a status. */
export const statusLine = (status: number): string =>
  `${status} ${STATUS_CODES[status] ?? "<unknown status code>"}`;
