import type { HttpTransportError } from "@agent-auth/agent-identity/errors";
import { isLoopbackUrl } from "@agent-auth/agent-identity/urls";
import * as Effect from "effect/Effect";
import {
  AuthorityAnswerUnreadable,
  AuthorityUnreachable,
  InvalidIssuer,
  type SignInError,
} from "../errors/oauth.ts";
import { plainText } from "./plain-text.ts";

export const DEFAULT_ISSUER = "https://auth.openai.com";
export const DEFAULT_CLIENT_ID = "app_EMoamEEZ73f0CkXaXp7hrann";

/** Milliseconds for one request to the authority, body included. */
export const REQUEST_TIMEOUT_MS = 30_000;

/** Whom a person signs in with. */
export interface AuthorityOptions {
  /** Default `https://auth.openai.com`. Trailing slashes do not matter; a path is kept. */
  readonly issuer?: string;
  /** Default: the public client of the Codex programs. */
  readonly clientId?: string;
  /** Default false: plain `http` is for loopback hosts only. */
  readonly allowInsecureHttp?: boolean;
}

export interface Authority {
  /** Without a trailing slash. */
  readonly issuer: string;
  readonly clientId: string;
  /** Stored with the tokens so that they are refreshed where they came from; absent for the default authority. */
  readonly provenance?: { readonly issuer: string; readonly clientId: string };
}

/** Checks the options before anything is opened or sent. Fails with `InvalidIssuer`. */
export const parseAuthority = (
  options: AuthorityOptions,
): Effect.Effect<Authority, InvalidIssuer> => {
  const issuer = (options.issuer?.trim() ?? DEFAULT_ISSUER).replace(/\/+$/, "");
  const clientId = options.clientId?.trim() || DEFAULT_CLIENT_ID;
  const reason = whyNotAnIssuer(issuer, options.allowInsecureHttp ?? false);
  if (reason !== undefined) {
    return Effect.fail(new InvalidIssuer({ issuer: withoutUserinfo(issuer), reason }));
  }
  const isDefault = issuer === DEFAULT_ISSUER && clientId === DEFAULT_CLIENT_ID;
  return Effect.succeed({
    issuer,
    clientId,
    ...(!isDefault && { provenance: { issuer, clientId } }),
  });
};

const whyNotAnIssuer = (issuer: string, allowInsecureHttp: boolean): string | undefined => {
  if (!URL.canParse(issuer)) return "not an absolute URL";
  const url = new URL(issuer);
  if (url.protocol !== "https:" && url.protocol !== "http:") return "not an http(s) URL";
  if (url.username !== "" || url.password !== "") return "it holds a user name or password";
  if (url.search !== "" || url.hash !== "" || /[?#]/.test(issuer))
    return "it has a query or a fragment";
  if (url.protocol === "http:" && !allowInsecureHttp && !isLoopbackUrl(issuer)) {
    return "plain http is for loopback hosts only";
  }
  return undefined;
};

const withoutUserinfo = (issuer: string): string =>
  plainText(issuer.replace(/\/\/[^/]*@/, "//***@"), { maxLength: 200 }) ?? "(empty)";

const inWords: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connection refused",
  ECONNRESET: "the connection broke",
  EAI_AGAIN: "its name cannot be resolved",
  ENOTFOUND: "its name cannot be resolved",
  ENETUNREACH: "there is no network",
  EHOSTUNREACH: "there is no route to it",
  ETIMEDOUT: "the connection timed out",
  UND_ERR_CONNECT_TIMEOUT: "the connection timed out",
  UND_ERR_SOCKET: "the connection broke",
};

/** Says of a request that brought no answer what a person who is signing in can do about it. */
export const fromTransportError = (url: string, error: HttpTransportError): SignInError => {
  const origin = URL.canParse(url) ? new URL(url).origin : url;
  if (error._tag === "HttpConnectionFailed") {
    return new AuthorityUnreachable({ origin, reason: inWords[error.reason] ?? error.reason });
  }
  if (error._tag === "HttpConfigurationInvalid") return error; // an untrusted root, a broken CA file: it says so itself
  if (error._tag === "HttpTimedOut") {
    const reason = `no answer within ${error.timeoutMs / 1000} s`;
    return new AuthorityUnreachable({ origin, reason });
  }
  if (error._tag === "HttpInsecureUrl" || error._tag === "HttpRequestInvalid") {
    return new InvalidIssuer({ issuer: origin, reason: error.message });
  }
  return new AuthorityAnswerUnreadable({ endpoint: url, reason: error.message });
};
