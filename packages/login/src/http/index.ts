import {
  HttpConfigurationInvalid,
  type HttpTransportError,
} from "@agent-auth/agent-identity/errors";
import { HttpTransport, isUntrustedCertificateCode } from "@agent-auth/agent-identity/http";
import { layer as undiciLayer } from "@agent-auth/agent-identity/http/undici";
import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import * as Scope from "effect/Scope";
import * as Semaphore from "effect/Semaphore";
import type { LoginEnvironment } from "../config/environment.ts";
import { makeDispatcher, type NetworkEnvironment } from "./dispatcher.ts";

export { makeDispatcher, type NetworkEnvironment } from "./dispatcher.ts";
export { earlyResponseConnector } from "./early-response.ts";

/** What requests say about the program that sends them, and whether they may leave this machine unencrypted. */
export interface HttpClientOptions {
  /** First part of the User-Agent, `<name>/<version>`. Default `agent-auth`. */
  readonly userAgent?: string;
  /** Default `codex_cli_rs`. `CODEX_INTERNAL_ORIGINATOR_OVERRIDE` takes precedence. */
  readonly originator?: string;
  /** Allows plain http to hosts other than loopback. Default false. */
  readonly allowInsecureHttp?: boolean;
}

type ClientEnvironment = NetworkEnvironment & Pick<LoginEnvironment, "originator">;

/**
 * Returns the headers that every request carries: `originator` and `User-Agent`.
 *
 * @example
 * ```ts
 * import { defaultHeaders } from "@agent-auth/login/http";
 *
 * const headers = defaultHeaders({}, { userAgent: "my-tool/1.0.0" });
 * headers.originator; // "codex_cli_rs"
 * ```
 */
export const defaultHeaders = (
  environment: Pick<LoginEnvironment, "originator">,
  options: HttpClientOptions = {},
): { readonly originator: string; readonly "user-agent": string } => ({
  originator: environment.originator ?? options.originator ?? "codex_cli_rs",
  "user-agent": `${options.userAgent ?? "agent-auth"} (${process.platform}; ${process.arch})`,
});

/**
 * Returns the HTTP client that this package uses for all its requests, as a layer of `HttpTransport`. See `makeDispatcher`
 * for proxies and certificates.
 *
 * Building it costs nothing: undici, certificates and proxy settings are loaded by the first request. A setting that
 * cannot be used fails that request with `HttpConfigurationInvalid`, which names the variable, and the next request reads
 * the setting again.
 *
 * @example
 * ```ts
 * import { HttpTransport } from "@agent-auth/agent-identity/http";
 * import { parseEnvironment } from "@agent-auth/login/config/environment";
 * import * as HttpClient from "@agent-auth/login/http";
 * import * as Effect from "effect/Effect";
 *
 * const environment = parseEnvironment(process.env, { homeDir: "/home/ada" });
 * const program = HttpTransport.use((transport) =>
 *   transport.request({ method: "GET", url: "http://127.0.0.1:9/", timeoutMs: 500 }),
 * );
 * const result = await Effect.runPromise(
 *   Effect.result(Effect.provide(program, HttpClient.layer(environment))),
 * );
 * result._tag; // "Failure": nothing listens there
 * ```
 */
export const layer = (
  environment: ClientEnvironment,
  options: HttpClientOptions = {},
): Layer.Layer<HttpTransport> =>
  Layer.effect(
    HttpTransport,
    Effect.gen(function* () {
      const scope = yield* Effect.scope;
      const building = Semaphore.makeUnsafe(1);
      let transport: HttpTransport["Service"] | undefined;
      const build = Effect.tap(buildTransport(environment, options, scope), (built) =>
        Effect.sync(() => {
          transport = built;
        }),
      );
      // Not `Effect.cached`: a failure must not be kept.
      const ready = building.withPermit(
        Effect.suspend(() => (transport === undefined ? build : Effect.succeed(transport))),
      );
      return HttpTransport.of({
        request: (request) =>
          Effect.suspend(() =>
            transport === undefined
              ? Effect.flatMap(ready, (built) => built.request(request))
              : transport.request(request),
          ).pipe(Effect.mapError(explainUntrustedCertificate)),
      });
    }),
  );

const buildTransport = (
  environment: ClientEnvironment,
  options: HttpClientOptions,
  scope: Scope.Scope,
): Effect.Effect<HttpTransport["Service"], HttpTransportError> =>
  Effect.gen(function* () {
    const headers = defaultHeaders(environment, options);
    const dispatcher = yield* Effect.mapError(
      makeDispatcher(environment),
      ({ code, hint, message, remedy }) =>
        new HttpConfigurationInvalid({ reason: message, hint, remedy, causeCode: code }),
    );
    const context = yield* Layer.build(
      undiciLayer({
        originator: headers.originator,
        userAgent: headers["user-agent"],
        dispatcher,
        allowInsecureHttp: options.allowInsecureHttp ?? false,
      }),
    );
    return Context.get(context, HttpTransport);
  }).pipe(Scope.provide(scope));

const explainUntrustedCertificate = (error: HttpTransportError): HttpTransportError =>
  error._tag === "HttpConnectionFailed" && isUntrustedCertificateCode(error.reason)
    ? new HttpConfigurationInvalid({
        reason: `the certificate of ${new URL(error.url).host} is not trusted (${error.reason})`,
        hint: "Set CODEX_CA_CERTIFICATE to a PEM file with the root certificate of your network.",
        remedy: "fixEnvironment",
        causeCode: error.code,
      })
    : error;
