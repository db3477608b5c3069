import {
  JwksEndpointError,
  JwksMalformed,
  JwksRequestFailed,
} from "@agent-auth/agent-identity/errors";
import { HttpTransport } from "@agent-auth/agent-identity/http";
import { shortTimeoutMs } from "@agent-auth/agent-identity/http/timeouts";
import { jwksUrl } from "@agent-auth/agent-identity/urls";
import * as Effect from "effect/Effect";
import type { Reportable } from "./errors/report.ts";
import { readInputFile } from "./input-file.ts";
import type { Session } from "./session.ts";

/** The source of a set of verification keys. */
export type JwksOrigin =
  | { readonly _tag: "Url"; readonly url: string }
  | { readonly _tag: "File"; readonly path: string };

/** A set as it was found: parsed JSON, not checked. */
export interface FoundJwks {
  readonly origin: JwksOrigin;
  readonly jwks: unknown;
}

const MAX_BYTES = 1024 * 1024;

/** The file or URL of the command line, else the configured backend's JWKS (docs/protocol.md §5). */
export const jwksOrigin = Effect.fnUntraced(function* (
  named: string | undefined,
  session: Session,
) {
  if (named === undefined) {
    const base = session.environment.agentIdentityJwksBaseUrl ?? session.config.chatgptBaseUrl;
    const origin: JwksOrigin = { _tag: "Url", url: yield* jwksUrl(base) };
    return origin;
  }
  const origin: JwksOrigin = /^https?:\/\//iu.test(named)
    ? { _tag: "Url", url: named }
    : { _tag: "File", path: named };
  return origin;
});

/** If the set was named on the command line, its errors are about that name and not about the configuration. */
export const explainNamedJwksError =
  (named: string | undefined) =>
  (error: Reportable): Reportable => {
    const { code, message, remedy } = error;
    const step = named === undefined ? undefined : stepsForNamed[code];
    if (step === undefined) return error;
    const isInsecure =
      error instanceof JwksRequestFailed && error.failure._tag === "HttpInsecureUrl";
    return { code, message, remedy, nextStep: isInsecure ? howToName : step };
  };

const howToName = "Name a JWKS file, or a URL that starts with https://.";
const stepsForNamed: Readonly<Record<string, string>> = {
  AGENT_IDENTITY_JWKS_ENDPOINT_ERROR: "Check that URL, or try again later.",
  AGENT_IDENTITY_JWKS_MALFORMED: howToName,
  AGENT_IDENTITY_JWKS_REQUEST_FAILED: "Check that URL and the network, then try again.",
  AGENT_IDENTITY_JWKS_KEY_NOT_FOUND: "Name the JWKS of the service that issued the token.",
};

/** Reads the set once, past every cache. */
export const findJwks = Effect.fnUntraced(function* (origin: JwksOrigin) {
  const text =
    origin._tag === "Url"
      ? yield* fetchText(origin.url)
      : yield* readInputFile(origin.path, howToName);
  const jwks = yield* Effect.try({
    try: (): unknown => JSON.parse(text),
    catch: () => new JwksMalformed({ url: placeOf(origin), problem: "it is not JSON" }),
  });
  const found: FoundJwks = { origin, jwks };
  return found;
});

export const placeOf = (origin: JwksOrigin): string =>
  origin._tag === "Url" ? origin.url : origin.path;

const fetchText = Effect.fnUntraced(function* (url: string) {
  const transport = yield* HttpTransport;
  const answer = yield* transport
    .request({
      method: "GET",
      url,
      headers: { accept: "application/json" },
      timeoutMs: shortTimeoutMs,
      maxBodyBytes: MAX_BYTES,
    })
    .pipe(Effect.mapError((failure) => new JwksRequestFailed({ url, failure })));
  if (answer.status !== 200) return yield* new JwksEndpointError({ url, status: answer.status });
  return answer.body;
});
