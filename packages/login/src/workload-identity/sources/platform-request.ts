import {
  HttpTransport,
  type HttpRequest,
  isTransientStatus,
} from "@agent-auth/agent-identity/http";
import { shortTimeoutMs } from "@agent-auth/agent-identity/http/timeouts";
import { isHttpsOrLoopback } from "@agent-auth/agent-identity/urls";
import * as Effect from "effect/Effect";
import type { IdentityTokenUnavailable } from "../../errors/workload-identity.ts";
import type { IdentitySource } from "../settings.ts";
import { maxResponseBytes, textMember, unavailable } from "./source.ts";

/** The URL that a platform gave in a variable: https or loopback, without user name, password and fragment. */
export const parsePlatformUrl = (
  source: IdentitySource,
  variable: string,
  text: string,
): Effect.Effect<URL, IdentityTokenUnavailable> => {
  const url = URL.parse(text);
  const isUsable =
    url !== null &&
    isHttpsOrLoopback(url) &&
    url.username === "" &&
    url.password === "" &&
    !text.includes("#");
  return isUsable
    ? Effect.succeed(url)
    : Effect.fail(
        unavailable(
          source,
          `${source.name}: ${variable} is not an https URL without user name, password and fragment`,
          `Do not set ${variable} yourself: the platform sets it.`,
        ),
      );
};

/**
 * Requests a token from a platform over https, within 10 s, and returns one member of the JSON in its response. The rest of
 * the response is never shown.
 */
export const requestToken = Effect.fnUntraced(function* (
  source: IdentitySource,
  request: Pick<HttpRequest, "body" | "headers" | "method"> & { readonly url: URL },
  member: string,
  hint: string,
): Effect.fn.Return<string, IdentityTokenUnavailable, HttpTransport> {
  const transport = yield* HttpTransport;
  const { url } = request;
  const response = yield* transport
    .request({
      ...request,
      url: url.href,
      timeoutMs: shortTimeoutMs,
      maxBodyBytes: maxResponseBytes,
      followRedirects: false,
    })
    .pipe(
      Effect.mapError(({ hint, message, remedy }) =>
        unavailable(source, `${source.name}: no identity token: ${message}`, hint, remedy),
      ),
    );
  const { status } = response;
  if (status < 200 || status > 299)
    return yield* unavailable(
      source,
      `${source.name}: ${url.host} responded with status ${status}`,
      isTransientStatus(status) ? "Try again in a minute." : hint,
      isTransientStatus(status) ? "retry" : "fixEnvironment",
    );
  const token = textMember(response.body, member);
  return (
    token ??
    (yield* unavailable(source, `${source.name}: the response of ${url.host} has no token`, hint))
  );
});
