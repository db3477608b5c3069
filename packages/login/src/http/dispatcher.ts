import { isLoopbackUrl } from "@agent-auth/agent-identity/urls";
import * as Effect from "effect/Effect";
import * as Redacted from "effect/Redacted";
import type * as Scope from "effect/Scope";
import type { Dispatcher } from "undici";
import type { LoginEnvironment, ProxySetting } from "../config/environment.ts";
import { type HttpClientError, ProxyUnusable } from "../errors/http.ts";
import { secureContextWith } from "./ca-bundle.ts";

/** The parts of an environment that say how the network is reached. */
export type NetworkEnvironment = Pick<
  LoginEnvironment,
  "caBundle" | "httpProxy" | "httpsProxy" | "noProxy"
>;

/**
 * An undici dispatcher that honours the environment given, and nothing of `process.env`: extra root certificates for
 * servers and proxies alike, `HTTPS_PROXY`, `HTTP_PROXY` (which serves https too where the former is absent: undici's
 * rule) and `NO_PROXY`. Loopback hosts are reached directly, whatever the variables say, as Go and browsers do: plain
 * http is allowed to them because it does not leave the machine, and through a proxy it would. undici is loaded, and the
 * certificate file read, when this runs. Closed with the scope.
 */
export const makeDispatcher = (
  environment: NetworkEnvironment,
): Effect.Effect<Dispatcher, HttpClientError, Scope.Scope> =>
  Effect.gen(function* () {
    const { Agent, EnvHttpProxyAgent } = yield* Effect.promise(() => import("undici"));
    const { caBundle, httpProxy, httpsProxy, noProxy } = environment;
    const tls = caBundle === undefined ? {} : { secureContext: yield* secureContextWith(caBundle) };
    const httpUrl = yield* proxyUrl(httpProxy);
    const httpsUrl = yield* proxyUrl(httpsProxy);
    const direct = yield* untilClosed(() => new Agent({ connect: tls }));
    if (httpUrl === undefined && httpsUrl === undefined) return direct;
    const proxied = yield* untilClosed(
      () =>
        new EnvHttpProxyAgent({
          // Empty strings keep undici from looking into process.env itself.
          httpProxy: httpUrl ?? "",
          httpsProxy: httpsUrl ?? "",
          noProxy: noProxy ?? "",
          connect: tls,
          requestTls: tls,
          proxyTls: tls,
        }),
    );
    return proxied.compose((dispatch) => (request, handler) => {
      const isHere = isLoopbackUrl(String(request.origin));
      return isHere ? direct.dispatch(request, handler) : dispatch(request, handler);
    });
  });

const untilClosed = (make: () => Dispatcher): Effect.Effect<Dispatcher, never, Scope.Scope> =>
  Effect.acquireRelease(Effect.sync(make), (dispatcher) =>
    Effect.promise(() => dispatcher.destroy()),
  );

/** A proxy without a scheme is an http one, as in curl. */
const proxyUrl = (
  setting: ProxySetting | undefined,
): Effect.Effect<string | undefined, ProxyUnusable> => {
  if (setting === undefined) return Effect.succeed(undefined);
  const text = Redacted.value(setting.url);
  const url = URL.parse(text.includes("://") ? text : `http://${text}`);
  const { variable } = setting;
  if (url === null)
    return Effect.fail(new ProxyUnusable({ variable, reason: "it is not a URL of a proxy" }));
  if (!schemes.has(url.protocol))
    return Effect.fail(
      new ProxyUnusable({ variable, reason: `proxies of kind ${url.protocol} are not supported` }),
    );
  return Effect.succeed(url.href);
};

const schemes = new Set(["http:", "https:"]);
