import type { HttpTransportError } from "@agent-auth/agent-identity/errors";
import { isLoopbackUrl } from "@agent-auth/agent-identity/urls";
import * as Effect from "effect/Effect";
import {
  AuthorityAnswerUnreadable,
  AuthorityNotTrusted,
  AuthorityUnreachable,
  InvalidIssuer,
  type SignInError,
} from "../errors/sign-in.ts";
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

const untrusted =
  /self.?signed|unable to (?:verify|get (?:local )?issuer)|UNABLE_TO_(?:VERIFY|GET_ISSUER)|CERT_UNTRUSTED|unknown ca/i;

/** Says of a request that brought no answer what a person who is signing in can do about it. */
export const fromTransportError = (url: string, error: HttpTransportError): SignInError => {
  const origin = URL.canParse(url) ? new URL(url).origin : url;
  if (error._tag === "HttpConnectionFailed") {
    return untrusted.test(error.reason)
      ? new AuthorityNotTrusted({ origin, reason: error.reason })
      : new AuthorityUnreachable({ origin, reason: error.reason });
  }
  if (error._tag === "HttpTimedOut") {
    const reason = `no answer within ${error.timeoutMs / 1000} s`;
    return new AuthorityUnreachable({ origin, reason });
  }
  if (error._tag === "HttpInsecureUrl" || error._tag === "HttpRequestInvalid") {
    return new InvalidIssuer({ issuer: origin, reason: error.message });
  }
  return new AuthorityAnswerUnreadable({ endpoint: url, reason: error.message });
};
