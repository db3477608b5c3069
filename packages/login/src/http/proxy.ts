import { isIP } from "node:net";
import { isUntrustedCertificateCode } from "@agent-auth/agent-identity/http";
import * as Effect from "effect/Effect";
import * as Redacted from "effect/Redacted";
import type { Dispatcher, Pool, buildConnector } from "undici";
import type { ProxySetting } from "../config/environment.ts";
import { ProxyRequestFailed, ProxyUnusable } from "../errors/http.ts";
import { describeConnectionError } from "./connection-error.ts";
import { readingEarlyResponses } from "./early-response.ts";

/** A proxy as a variable names it. */
export interface Proxy {
  readonly variable: string;
  /** Scheme, host and port. The only part of the URL that errors show. */
  readonly origin: string;
  /** Value of `Proxy-Authorization`, if the URL has a user name or password. */
  readonly authorization?: Redacted.Redacted;
}

type Undici = Pick<typeof import("undici"), "Pool" | "ProxyAgent">;

/**
 * Parses the URL of a proxy variable. A URL without a scheme is an http one, as in curl; percent-encoding in the user
 * name and password is decoded, and a `%` that encodes nothing is kept. Fails with `ProxyUnusable`.
 */
export const parseProxy = ({
  variable,
  url,
}: ProxySetting): Effect.Effect<Proxy, ProxyUnusable> => {
  const text = Redacted.value(url);
  const parsed = URL.parse(text.includes("://") ? text : `http://${text}`);
  if (parsed === null || parsed.hostname === "") {
    return Effect.fail(new ProxyUnusable({ variable, reason: "it is not the URL of a proxy" }));
  }
  const { host, password, protocol, username } = parsed;
  if (protocol !== "http:" && protocol !== "https:") {
    const reason = `proxies with the scheme ${protocol.slice(0, -1)} are not supported`;
    return Effect.fail(new ProxyUnusable({ variable, reason }));
  }
  const origin = `${protocol}//${host}`;
  if (username === "" && password === "") return Effect.succeed({ variable, origin });
  const pair = `${percentDecode(username)}:${percentDecode(password)}`;
  const authorization = Redacted.make(`Basic ${Buffer.from(pair).toString("base64")}`, {
    label: "proxy-authorization",
  });
  return Effect.succeed({ variable, origin, authorization });
};

const percentDecode = (text: string): string => {
  try {
    return decodeURIComponent(text);
  } catch {
    return text.replaceAll(/%[0-9a-f]{2}/gi, (encoded) =>
      Buffer.from(encoded.slice(1), "hex").toString("latin1"),
    );
  }
};

/**
 * Returns a dispatcher that sends every request through a proxy: https requests through a tunnel, http requests in
 * absolute form. Requests that fail because of the proxy itself (it cannot be reached, or refuses) fail with
 * `ProxyRequestFailed`, so that the failure is not mistaken for one of the target.
 */
export const makeProxyDispatcher = (
  undici: Undici,
  proxy: Proxy,
  tls: buildConnector.BuildOptions,
  limits: Pool.Options,
): Dispatcher => {
  const { origin, authorization } = proxy;
  /** Connections to the proxy itself; their errors name the proxy. */
  const connectingToProxy = (options: object): Pool.Options => ({
    ...options,
    ...limits,
    ...("connect" in options && isConnector(options.connect)
      ? { connect: readingEarlyResponses(namingProxy(options.connect, proxy)) }
      : {}),
  });
  const { Pool, ProxyAgent } = undici;
  class TunnelPool extends Pool {
    override connect(options: Omit<Dispatcher.ConnectOptions, "origin">) {
      return super.connect(options).then(
        (answer) => {
          if (answer.statusCode === 200) return answer;
          answer.socket.on("error", () => {}).destroy();
          throw refusal(proxy, answer.statusCode);
        },
        (error: unknown) => {
          throw namedForProxy(error, proxy);
        },
      );
    }
  }
  const agent = new ProxyAgent({
    ...limits,
    uri: origin,
    ...(authorization && { token: Redacted.value(authorization) }),
    requestTls: tls,
    proxyTls: tls,
    clientFactory: (url: URL, options: object) => new TunnelPool(url, connectingToProxy(options)),
    // For a tunnel this gets all options of the agent; for http requests, only a connector to the proxy.
    factory: (url: string | URL, options: object) =>
      new Pool(
        url,
        Reflect.has(options, "maxHeaderSize") ? throughTunnel(options) : connectingToProxy(options),
      ),
  });
  return agent.compose((dispatch) => (options, handler) => {
    const isForwarded = String(options.origin).startsWith("http:");
    return dispatch(options, isForwarded ? reportingRefusal(handler, proxy) : handler);
  });
};

/** Options for connections to a target through the tunnel. */
const throughTunnel = (options: object): Pool.Options => ({
  ...options,
  ...("connect" in options && isConnector(options.connect)
    ? { connect: readingEarlyResponses(options.connect) }
    : {}),
});

const isConnector = (value: unknown): value is buildConnector.connector =>
  typeof value === "function";

const namingProxy =
  (connect: buildConnector.connector, proxy: Proxy): buildConnector.connector =>
  (options, callback) => {
    // An IP address is not a server name (RFC 6066 §3); Node prints a warning for one.
    const servername = isIP(options.servername ?? "") === 0 ? options.servername : "";
    connect({ ...options, servername: servername ?? "" }, (...[error, socket]) =>
      error === null ? callback(null, socket) : callback(namedForProxy(error, proxy), null),
    );
  };

const namedForProxy = (error: unknown, { origin, variable }: Proxy): ProxyRequestFailed => {
  if (error instanceof ProxyRequestFailed) return error;
  const { code, reason } = describeConnectionError(error);
  const isCertificateUntrusted = isUntrustedCertificateCode(code);
  return new ProxyRequestFailed({ variable, proxy: origin, reason, isCertificateUntrusted });
};

const refusal = (
  { authorization, origin, variable }: Proxy,
  status: number,
): ProxyRequestFailed => {
  const needed =
    authorization === undefined
      ? "it requires a user name and password"
      : "it did not accept the user name and password";
  const reason = status === 407 ? needed : "it opened no tunnel";
  const facts = { variable, proxy: origin, status, reason };
  return new ProxyRequestFailed({ ...facts, isCertificateUntrusted: false });
};

/**
 * undici turns a proxy's 407 to an http request into an `InvalidArgumentError`, and then continues with the response.
 */
const reportingRefusal = (
  handler: Dispatcher.DispatchHandler,
  proxy: Proxy,
): Dispatcher.DispatchHandler => {
  let isRefused = false;
  return {
    onRequestStart: (controller, context) => handler.onRequestStart?.(controller, context),
    onRequestUpgrade: (...given) => handler.onRequestUpgrade?.(...given),
    onResponseStart: (...given) => handler.onResponseStart?.(...given),
    onResponseData: (controller, chunk) => {
      if (!isRefused) handler.onResponseData?.(controller, chunk);
    },
    onResponseEnd: (controller, trailers) => {
      if (!isRefused) handler.onResponseEnd?.(controller, trailers);
    },
    onResponseError: (controller, error) => {
      if (isRefused) return;
      isRefused =
        "code" in error && error.code === "UND_ERR_INVALID_ARG" && /407/.test(error.message);
      handler.onResponseError?.(controller, isRefused ? refusal(proxy, 407) : error);
      if (isRefused) controller.abort(error);
    },
    onResponseStarted: () => handler.onResponseStarted?.(),
    onBodySent: (chunk) => handler.onBodySent?.(chunk),
    onRequestSent: () => handler.onRequestSent?.(),
  };
};
