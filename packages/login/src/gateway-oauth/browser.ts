import { createHash, randomBytes } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { HttpTransport } from "@agent-auth/agent-identity/http";
import { boundPort } from "@agent-auth/agent-identity/http/bound-port";
import { isSameSecret } from "@agent-auth/agent-identity/keys/same-secret";
import * as Effect from "effect/Effect";
import type * as Scope from "effect/Scope";
import { GatewayAuthFailed, type LoginError } from "../errors/index.ts";
import { sanitizeText } from "../oauth/server-error.ts";
import type { GatewayTokenSet } from "./store.ts";
import { failed, type GatewayClient, postForm, readTokens } from "./token-endpoint.ts";

export interface GatewayBrowserOptions extends GatewayClient {
  /** Called with the URL that the user has to open. */
  readonly onAuthorizeUrl: (url: string) => Effect.Effect<void>;
  /** Milliseconds to wait for the browser. Default 15 minutes. */
  readonly timeoutMs?: number;
}

/**
 * Signs in to a gateway with a browser on this machine: authorization code with PKCE (RFC 7636, S256), and a redirect
 * to `http://127.0.0.1:<port>/callback`. A callback with another `state` is refused, and the sign-in keeps waiting.
 *
 * @example
 * ```ts
 * import { type GatewayClient, signInToGateway } from "@agent-auth/login/gateway-oauth";
 * import * as Effect from "effect/Effect";
 *
 * const signIn = (client: GatewayClient) =>
 *   signInToGateway({ ...client, onAuthorizeUrl: (url) => Effect.log(`Open ${url}`) });
 * ```
 */
export const signInToGateway = Effect.fn("login.signInToGateway")(function* (
  options: GatewayBrowserOptions,
): Effect.fn.Return<GatewayTokenSet, LoginError, HttpTransport | Scope.Scope> {
  const { config, onAuthorizeUrl, timeoutMs = 900_000 } = options;
  const verifier = randomBytes(32).toString("base64url");
  const state = randomBytes(32).toString("base64url");
  const callback = yield* openCallback(options, state);
  yield* onAuthorizeUrl(authorizeUrl(options, callback.redirectUri, verifier, state));
  const returned = yield* Effect.timeoutOrElse(callback.code, {
    duration: timeoutMs,
    orElse: () =>
      Effect.fail(failed(options, "sign-in", "the browser did not request the callback in time")),
  });
  if ("error" in returned) return yield* failed(options, "sign-in", returned.error);
  const answer = yield* postForm(options, "sign-in", config.tokenUrl, {
    grant_type: "authorization_code",
    code: returned.code,
    redirect_uri: callback.redirectUri,
    code_verifier: verifier,
    resource: config.resource,
  });
  return answer._tag === "Refused"
    ? yield* failed(options, "sign-in", `the server responded with ${answer.error}`)
    : yield* readTokens(options, "sign-in", answer.body);
}, Effect.scoped);

const authorizeUrl = (
  { config }: GatewayClient,
  redirectUri: string,
  verifier: string,
  state: string,
): string => {
  const url = new URL(config.authorizationUrl);
  const parameters = {
    response_type: "code",
    client_id: config.clientId,
    redirect_uri: redirectUri,
    code_challenge: createHash("sha256").update(verifier).digest("base64url"),
    code_challenge_method: "S256",
    state,
    ...(config.scopes.length > 0 && { scope: config.scopes.join(" ") }),
    ...(config.resource !== undefined && { resource: config.resource }),
  };
  for (const [name, value] of Object.entries(parameters)) url.searchParams.append(name, value);
  return url.href;
};

type Returned = { readonly code: string } | { readonly error: string };

interface Callback {
  readonly redirectUri: string;
  readonly code: Effect.Effect<Returned>;
}

/** Listens on 127.0.0.1 until the scope closes. */
const openCallback = Effect.fnUntraced(function* (
  { config, providerId }: GatewayClient,
  state: string,
): Effect.fn.Return<Callback, GatewayAuthFailed, Scope.Scope> {
  const port = config.redirectPort ?? 0;
  const cannotListen = ({ code }: NodeJS.ErrnoException) => {
    const isTaken = code === "EADDRINUSE";
    return new GatewayAuthFailed({
      providerId,
      step: "sign-in",
      reason: isTaken
        ? `another program uses port ${port} on 127.0.0.1 (redirect_port)`
        : `cannot listen on port ${port} of 127.0.0.1 (redirect_port): ${code ?? "unknown error"}`,
      hint: isTaken
        ? "Stop that program, or leave redirect_port out if the gateway accepts any port."
        : "Use another redirect_port, or leave it out if the gateway accepts any port.",
      remedy: "fixEnvironment",
    });
  };
  const { promise: returned, resolve: report } = Promise.withResolvers<Returned>();
  const server = yield* Effect.acquireRelease(
    Effect.callback<ReturnType<typeof createServer>, GatewayAuthFailed>((resume) => {
      const server = createServer((request, response) => answer(request, response, state, report));
      server.maxConnections = 16;
      server.requestTimeout = 5_000;
      server.once("error", (error) => resume(Effect.fail(cannotListen(error))));
      server.listen({ host: "127.0.0.1", port, exclusive: true }, () =>
        resume(Effect.succeed(server)),
      );
    }),
    (server) =>
      Effect.promise(async () => {
        server.close();
        server.closeIdleConnections();
      }),
  );
  return {
    redirectUri: `http://127.0.0.1:${boundPort(server)}/callback`,
    code: Effect.promise(() => returned),
  };
});

const answer = (
  request: IncomingMessage,
  response: ServerResponse,
  state: string,
  report: (returned: Returned) => void,
): void => {
  const say = (status: number, text: string): void => {
    response.writeHead(status, {
      "content-type": "text/plain; charset=utf-8",
      "cache-control": "no-store",
      connection: "close",
    });
    response.end(`${text}\n`);
  };
  const url = URL.parse(request.url ?? "", "http://127.0.0.1");
  if (request.method !== "GET" || url?.pathname !== "/callback") return say(404, "Not found");
  const query = url.searchParams;
  if (!isSameSecret(query.get("state") ?? "", state)) return say(400, "State mismatch");
  const error = sanitizeText(query.get("error"), { maxLength: 80 });
  const code = query.get("code") ?? "";
  if (error !== undefined || code === "") {
    say(400, "The sign-in failed. You can close this page.");
    return report({ error: error ?? "the server sent no code" });
  }
  say(200, "Signed in to the gateway. You can close this page.");
  report({ code });
};
