import { resolve } from "node:path";
import * as Context from "effect/Context";
import * as Redacted from "effect/Redacted";
import type { ProxySetting } from "../config/environment.ts";
import type { NetworkEnvironment } from "./dispatcher.ts";

/**
 * Identifies the route that a client's requests take and the root certificates that it trusts. Clients with the same
 * key get their responses from the same servers, so they may share cached responses. A client without a key shares
 * nothing.
 */
export class NetworkKey extends Context.Service<NetworkKey, string>()(
  "@agent-auth/login/http/network-key",
) {}

/** Returns the key of a client with these settings. It may be stored on disk, so it holds no secret. */
export const networkKey = (
  environment: NetworkEnvironment,
  allowInsecureHttp: boolean | undefined,
): string => {
  const { allProxy, caBundle, httpProxy, httpsProxy, noProxy } = environment;
  return JSON.stringify({
    caBundle: caBundle === undefined ? undefined : resolve(caBundle.path),
    httpProxy: address(httpProxy ?? allProxy),
    httpsProxy: address(httpsProxy ?? allProxy ?? httpProxy),
    noProxy,
    allowInsecureHttp: allowInsecureHttp === true,
  });
};

/** A proxy without its user name and password: they do not change where a request goes. */
const address = (proxy: ProxySetting | undefined): string | undefined => {
  if (proxy === undefined) return undefined;
  const text = Redacted.value(proxy.url);
  const url = URL.parse(text.includes("://") ? text : `http://${text}`);
  return url === null ? "unusable" : `${url.protocol}//${url.host}`;
};
