import { overridingEnvVar } from "@agent-auth/login/config/environment";
import { makeDispatcher, defaultHeaders } from "@agent-auth/login/http";
import type { ModelProvider } from "@agent-auth/model-provider/provider";
import { authInterceptor } from "@agent-auth/model-provider/dispatcher";
import * as Effect from "effect/Effect";
import { exitCode, type ExitCode } from "../../errors/exit-code.ts";
import { sessionProvider, signerForCallbacks, signerLayer } from "../../request-signing.ts";
import { openSession, type Session, userAgent } from "../../session.ts";
import { writeLine } from "../../terminal/write.ts";
import type { ApiOptions } from "./api.ts";
import { openBody } from "./body.ts";
import { resolvePath } from "./destination.ts";
import { type Answered, printAnswer } from "./print-answer.ts";

/** Sends the request, streams the answer, and turns its status into an exit code. */
export const sendAndPrint = Effect.fnUntraced(function* (options: ApiOptions) {
  const session = yield* openSession(options.globals);
  const provider = yield* sessionProvider(session);
  return yield* Effect.scoped(exchange(options, session)).pipe(
    Effect.provide(signerLayer(session, provider)),
  );
});

const exchange = Effect.fnUntraced(function* (options: ApiOptions, session: Session) {
  const signer = yield* signerForCallbacks;
  const { target } = yield* signer.sign();
  const destination = yield* resolvePath(options.path, target);
  const body = yield* openBody(options.body);
  const network = yield* makeDispatcher(session.environment);
  const dispatcher = network.compose(authInterceptor({ signer, otherOrigins: "refuse" }));
  const answer = yield* printAnswer(dispatcher, options.include, {
    ...destination,
    method: options.method,
    headers: withDefaults(options.headers, defaultHeaders(session.environment, { userAgent })),
    body,
    // A model may think for long before it says its first word, and between two words.
    headersTimeout: 0,
    bodyTimeout: 0,
  });
  return verdict(answer, session, signer.provider);
});

const withDefaults = (
  given: ApiOptions["headers"],
  defaults: Readonly<Record<string, string>>,
): Record<string, string> => {
  const headers: Record<string, string> = { ...defaults };
  const seen = new Set<string>();
  for (const [name, value] of given) {
    const lower = name.toLowerCase();
    headers[lower] = seen.has(lower) ? `${headers[lower]}, ${value}` : value;
    seen.add(lower);
  }
  return headers;
};

const verdict = (
  { status, statusText }: Answered,
  { environment }: Session,
  { auth }: ModelProvider,
): ExitCode => {
  if (status < 400) return exitCode.done;
  const hint =
    status === 401
      ? deedOf(auth, overridingEnvVar(environment, { environmentCredentials: true }))
      : "";
  writeLine(`Error: the server answered ${`${status} ${statusText}`.trimEnd()}${hint}`);
  return status === 401 ? exitCode.signInNeeded : exitCode.failed;
};

/** What mends a 401. A provider that brings its own key or none asks nobody to sign in. */
const deedOf = (auth: ModelProvider["auth"], variable: string | undefined): string => {
  if (auth._tag === "EnvKey") return `. Correct ${auth.variable}.`;
  if (auth._tag !== "SignedIn") return "";
  return variable === undefined ? ". Run: agent-auth login" : `. Correct or unset ${variable}.`;
};
