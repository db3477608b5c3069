import { HttpSettingUnusable, type HttpTransportError } from "@agent-auth/agent-identity/errors";
import { HttpTransport } from "@agent-auth/agent-identity/http";
import { layer as undiciLayer } from "@agent-auth/agent-identity/http/undici";
import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import * as Scope from "effect/Scope";
import * as Semaphore from "effect/Semaphore";
import type { LoginEnvironment } from "../config/environment.ts";
import type { HttpClientError } from "../errors/http.ts";
import { makeDispatcher, type NetworkEnvironment } from "./dispatcher.ts";

export { makeDispatcher, type NetworkEnvironment } from "./dispatcher.ts";

export interface HttpClientOptions {
  /** First part of the User-Agent, `<name>/<version>`. Default `agent-auth`. */
  readonly userAgent?: string;
  /** Default `codex_cli_rs`; `CODEX_INTERNAL_ORIGINATOR_OVERRIDE` beats both. */
  readonly originator?: string;
  /** Allows plain http to other machines. Default false. */
  readonly allowInsecureHttp?: boolean;
}

type ClientEnvironment = NetworkEnvironment & Pick<LoginEnvironment, "originator">;

/** What every request carries, whoever sends it. */
export const standingHeaders = (
  environment: Pick<LoginEnvironment, "originator">,
  options: HttpClientOptions = {},
): { readonly originator: string; readonly "user-agent": string } => ({
  originator: environment.originator ?? options.originator ?? "codex_cli_rs",
  "user-agent": `${options.userAgent ?? "agent-auth"} (${process.platform}; ${process.arch})`,
});

/**
 * The HTTP client of everything in this package. Building it costs nothing: undici is loaded, and certificates and
 * proxies are looked at, with the first request. A setting that cannot be used fails that request
 * (`HttpSettingUnusable`, naming the variable and the file), and the next one looks again.
 */
export const layer = (
  environment: ClientEnvironment,
  options: HttpClientOptions = {},
): Layer.Layer<HttpTransport> =>
  Layer.effect(
    HttpTransport,
    Effect.gen(function* () {
      const scope = yield* Effect.scope;
      const one = Semaphore.makeUnsafe(1);
      let transport: HttpTransport["Service"] | undefined;
      const build = Effect.tap(buildTransport(environment, options, scope), (built) =>
        Effect.sync(() => {
          transport = built;
        }),
      );
      const ready = one.withPermit(
        Effect.suspend(() => (transport === undefined ? build : Effect.succeed(transport))),
      );
      return HttpTransport.of({
        request: (request) =>
          Effect.suspend(() =>
            transport === undefined
              ? Effect.flatMap(ready, (built) => built.request(request))
              : transport.request(request),
          ).pipe(Effect.mapError(explainUntrusted)),
      });
    }),
  );

const buildTransport = (
  environment: ClientEnvironment,
  options: HttpClientOptions,
  scope: Scope.Scope,
): Effect.Effect<HttpTransport["Service"], HttpTransportError> =>
  Effect.gen(function* () {
    const headers = standingHeaders(environment, options);
    const dispatcher = yield* Effect.mapError(makeDispatcher(environment), asTransportError);
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

const asTransportError = (error: HttpClientError): HttpSettingUnusable =>
  new HttpSettingUnusable({ reason: error.message, hint: error.hint, causeCode: error.code });

/** OpenSSL's names for a chain that ends in a root nobody here knows. */
const untrusted: ReadonlySet<string> = new Set([
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
]);

const explainUntrusted = (error: HttpTransportError): HttpTransportError =>
  error._tag === "HttpConnectionFailed" && untrusted.has(error.reason)
    ? new HttpSettingUnusable({
        reason: `the certificate of ${new URL(error.url).host} is not trusted (${error.reason})`,
        hint: "Set CODEX_CA_CERTIFICATE to a PEM file with the root certificate of your network.",
        causeCode: error.code,
      })
    : error;
