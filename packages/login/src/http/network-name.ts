import { resolve } from "node:path";
import * as Context from "effect/Context";
import * as Redacted from "effect/Redacted";
import type { ProxySetting } from "../config/environment.ts";
import type { AuthManagerOptions } from "../manager/types.ts";

/**
 * Names the way that requests of a manager take and the roots that they trust. Managers of one name would get, and
 * believe, the same answers, so they may share them; a manager without a name shares nothing.
 */
export class NetworkName extends Context.Service<NetworkName, string>()(
  "@agent-auth/login/auth-manager/network-name",
) {}

/** The name that follows from a manager's options. It may lie on disk, so it holds no secret. */
export const networkName = ({ allowInsecureHttp, environment }: AuthManagerOptions): string => {
  const { caBundle, httpProxy, httpsProxy, noProxy } = environment;
  return JSON.stringify({
    caBundle: caBundle === undefined ? undefined : resolve(caBundle.path),
    httpProxy: address(httpProxy),
    httpsProxy: address(httpsProxy),
    noProxy,
    allowInsecureHttp: allowInsecureHttp === true,
  });
};

/** A proxy without its user name and password: they say who asks, not which way the question goes. */
const address = (proxy: ProxySetting | undefined): string | undefined => {
  if (proxy === undefined) return undefined;
  const text = Redacted.value(proxy.url);
  const url = URL.parse(text.includes("://") ? text : `http://${text}`);
  return url === null ? "unusable" : `${url.protocol}//${url.host}`;
};
