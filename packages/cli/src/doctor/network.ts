import { parseJson } from "@agent-auth/agent-identity/encoding";
import { parseJwks } from "@agent-auth/agent-identity/jwks";
import { HttpTransport } from "@agent-auth/agent-identity/http";
import { shortTimeoutMs } from "@agent-auth/agent-identity/http/timeouts";
import { jwksUrl } from "@agent-auth/agent-identity/urls";
import * as HttpClient from "@agent-auth/login/http";
import type { CredentialFacts } from "@agent-auth/login/credential";
import {
  type ModelProvider,
  requestTarget,
  resolveProvider,
} from "@agent-auth/model-provider/provider";
import * as Effect from "effect/Effect";
import * as Redacted from "effect/Redacted";
import * as Result from "effect/Result";
import { type Session, userAgent } from "../session.ts";
import { credentialOfProvider } from "./credential.ts";
import { type Check, failed, ok, warn } from "./check.ts";

const WARN_SKEW_MS = 60_000;
const FAIL_SKEW_MS = 300_000;

/** Whether the proxy and the extra certificates can be used as they are set. Sends nothing. */
export const checkTls = ({ environment }: Session): Effect.Effect<Check> => {
  const { caBundle, httpProxy, httpsProxy } = environment;
  const proxy = httpsProxy ?? httpProxy;
  const parts = [
    caBundle === undefined ? "Node's own roots" : `${caBundle.variable} ${caBundle.path}`,
    proxy === undefined
      ? "no proxy"
      : `${proxy.variable} ${withoutSecrets(Redacted.value(proxy.url))}`,
  ];
  return Effect.scoped(HttpClient.makeDispatcher(environment)).pipe(
    Effect.map(() => ok("tls", parts.join("; "))),
    Effect.catch((error) => Effect.succeed(failed("tls", error))),
  );
};

const withoutSecrets = (url: string): string => {
  const parsed = URL.parse(url.includes("://") ? url : `http://${url}`);
  return parsed === null ? "(no URL)" : parsed.origin;
};

/** The backend's keys and its clock, from one request. A failure is a warning if requests do not use the sign-in with OpenAI. */
export const checkBackend = Effect.fnUntraced(
  function* (session: Session) {
    const base = session.environment.agentIdentityJwksBaseUrl ?? session.config.chatgptBaseUrl;
    const url = yield* jwksUrl(base);
    const transport = yield* HttpTransport;
    const askedAtMs = Date.now();
    const answer = yield* transport.request({ method: "GET", url, timeoutMs: shortTimeoutMs });
    const middleMs = (askedAtMs + Date.now()) / 2;
    return [yield* keysCheck(url, answer), clockCheck(answer.headers["date"], middleMs)];
  },
  (checks, session) =>
    Effect.catch(checks, (error) => {
      const isNeeded = credentialOfProvider(session) === undefined;
      return Effect.succeed([failed("jwks", error, isNeeded ? "fail" : "warn")]);
    }),
);

const keysCheck = (
  url: string,
  answer: { readonly status: number; readonly body: string },
): Effect.Effect<Check> => {
  if (answer.status !== 200) {
    return Effect.succeed(
      warn("jwks", `${url} responded with status ${answer.status}`, checkBaseUrl),
    );
  }
  return parseJwks(parseJson(answer.body), url).pipe(
    Effect.map(({ document: { keys } }) =>
      keys.length === 0
        ? warn("jwks", `${url} has no usable key`, "Run: agent-auth jwks")
        : ok("jwks", `${url}: ${keys.length} usable ${keys.length === 1 ? "key" : "keys"}`),
    ),
    Effect.catch((error) => Effect.succeed(failed("jwks", error))),
  );
};

const checkBaseUrl = "Check chatgpt_base_url in config.toml";

/** Tokens tolerate one minute of difference, assertions five. The Date header has whole seconds. */
const clockCheck = (date: string | undefined, nowMs: number): Check => {
  const serverMs = date === undefined ? Number.NaN : Date.parse(date);
  if (Number.isNaN(serverMs)) return warn("clock", "the server sent no Date header");
  const skewMs = nowMs - serverMs;
  const size = Math.abs(skewMs);
  if (size <= WARN_SKEW_MS) return ok("clock", "agrees with the server's");
  const detail = `${Math.round(size / 1000)} s ${skewMs > 0 ? "ahead of" : "behind"} the server's`;
  const fix = "Set the clock: timedatectl set-ntp true";
  return { ...warn("clock", detail, fix), status: size > FAIL_SKEW_MS ? "fail" : "warn" };
};

/**
 * Whether the provider that requests go to is configured correctly and reachable. Its address depends on the kind of
 * credential; the credential itself is not sent.
 */
export const checkProvider = Effect.fnUntraced(function* (
  session: Session,
  credential: CredentialFacts | undefined,
) {
  const resolved = resolveProvider({ config: session.config, environment: session.environment });
  if (Result.isFailure(resolved)) return failed("provider", resolved.failure);
  const { id } = resolved.success;
  const transport = yield* HttpTransport;
  const { origin, baseUrl } = targetOf(resolved.success, credential);
  return yield* transport
    .request({ method: "GET", url: `${origin}/`, timeoutMs: shortTimeoutMs })
    .pipe(
      Effect.map(() => ok("provider", `${id} at ${baseUrl} can be reached`)),
      Effect.catch((error) =>
        // A response that is too large, or a redirect to another origin, also shows that the server can be reached.
        Effect.succeed(
          error._tag === "HttpBodyTooLarge" || error._tag === "HttpRedirectNotAllowed"
            ? ok("provider", `${id} at ${baseUrl} can be reached`)
            : failed("provider", error),
        ),
      ),
    );
});

/** Without a credential, the address for ChatGPT sign-ins and agents, which share one. */
const targetOf = (provider: ModelProvider, credential: CredentialFacts | undefined) => {
  if (provider.auth._tag !== "SignedIn") return requestTarget(provider, null);
  return credential === undefined || credential._tag === "AgentIdentity"
    ? provider.targets.chatgpt
    : requestTarget(provider, credential);
};

export const network = (session: Session) => HttpClient.layer(session.environment, { userAgent });
