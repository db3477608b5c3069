import { maxResponseHeaderBytes } from "@agent-auth/agent-identity/http";
import { importUndici } from "@agent-auth/agent-identity/http/undici";
import { isLoopbackHost } from "@agent-auth/agent-identity/urls";
import * as Effect from "effect/Effect";
import type * as Scope from "effect/Scope";
import type { Dispatcher } from "undici";
import type { LoginEnvironment } from "../config/environment.ts";
import type { CaBundleUnusable, ProxyUnusable } from "../errors/http.ts";
import { loadSecureContext } from "./ca-bundle.ts";
import { earlyResponseConnector } from "./early-response.ts";
import { parseNoProxy } from "./no-proxy.ts";
import { makeProxyDispatcher, parseProxy } from "./proxy.ts";

/** The parts of an environment that decide how the network is reached. */
export type NetworkEnvironment = Pick<
  LoginEnvironment,
  "allProxy" | "caBundle" | "httpProxy" | "httpsProxy" | "noProxy"
>;

const limits = { maxHeaderSize: maxResponseHeaderBytes };

/**
 * Returns an undici dispatcher that follows the given environment, and reads nothing from `process.env`. It is closed
 * with the scope.
 *
 * - The CA bundle adds root certificates, for servers and for https proxies.
 * - An https request goes through the proxy of `HTTPS_PROXY`, else `ALL_PROXY`, else `HTTP_PROXY`; an http request through
 *   `HTTP_PROXY`, else `ALL_PROXY`. Only http and https proxies are supported.
 * - Hosts in `NO_PROXY` are reached directly, and so are loopback hosts, also if a proxy is set: plain http is
 *   allowed to them because it does not leave the machine.
 *
 * Loads undici and reads the certificate file when it runs. Fails with `CaBundleUnusable` or `ProxyUnusable`; a proxy
 * that cannot be reached or refuses fails the request, with `ProxyRequestFailed`.
 *
 * @example
 * ```ts
 * import { makeDispatcher } from "@agent-auth/login/http";
 * import { parseEnvironment } from "@agent-auth/login/config/environment";
 * import * as Effect from "effect/Effect";
 *
 * const environment = parseEnvironment(
 *   { HTTPS_PROXY: "http://proxy.example.com:3128", NO_PROXY: "10.0.0.0/8" },
 *   { homeDir: "/home/ada" },
 * );
 * const program = Effect.gen(function* () {
 *   const dispatcher = yield* makeDispatcher(environment);
 *   return typeof dispatcher.dispatch; // pass it to undici's fetch, for example
 * });
 * await Effect.runPromise(Effect.scoped(program));
 * ```
 */
export const makeDispatcher = Effect.fnUntraced(function* (
  environment: NetworkEnvironment,
): Effect.fn.Return<Dispatcher, CaBundleUnusable | ProxyUnusable, Scope.Scope> {
  const undici = yield* Effect.promise(importUndici);
  const { allProxy, caBundle, noProxy } = environment;
  const tls = caBundle === undefined ? {} : { secureContext: yield* loadSecureContext(caBundle) };
  const direct = yield* closedWithScope(
    () => new undici.Agent({ connect: earlyResponseConnector(undici, tls), ...limits }),
  );
  const httpSetting = environment.httpProxy ?? allProxy;
  const httpsSetting = environment.httpsProxy ?? allProxy ?? environment.httpProxy;
  const dispatchers = new Map<object, Dispatcher>();
  for (const setting of [httpSetting, httpsSetting]) {
    if (setting === undefined || dispatchers.has(setting)) continue;
    const proxy = yield* parseProxy(setting);
    const proxied = yield* closedWithScope(() => makeProxyDispatcher(undici, proxy, tls, limits));
    dispatchers.set(setting, proxied);
  }
  const http = httpSetting && dispatchers.get(httpSetting);
  const https = httpsSetting && dispatchers.get(httpsSetting);
  if (http === undefined && https === undefined) return direct;
  const isExempt = parseNoProxy(noProxy ?? "");
  const dispatcherFor = (url: URL): Dispatcher => {
    if (isLoopbackHost(url.hostname) || isExempt(url)) return direct;
    return (url.protocol === "https:" ? https : http) ?? direct;
  };
  return direct.compose((dispatch) => (options, handler) => {
    const url = URL.parse(String(options.origin));
    const chosen = url === null ? direct : dispatcherFor(url);
    return chosen === direct ? dispatch(options, handler) : chosen.dispatch(options, handler);
  });
});

const closedWithScope = (make: () => Dispatcher): Effect.Effect<Dispatcher, never, Scope.Scope> =>
  Effect.acquireRelease(Effect.sync(make), (dispatcher) =>
    Effect.promise(() => dispatcher.destroy()),
  );
