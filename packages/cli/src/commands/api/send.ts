import { overridingEnvVar } from "@agent-auth/login/config/environment";
import { makeDispatcher, defaultHeaders } from "@agent-auth/login/http";
import { authInterceptor } from "@agent-auth/model-provider/dispatcher";
import type { ModelProviderError } from "@agent-auth/model-provider/errors";
import type { ModelProvider } from "@agent-auth/model-provider/provider";
import { RequestSigner } from "@agent-auth/model-provider/signing";
import * as Effect from "effect/Effect";
import { explainCredentialError } from "../../errors/credential-error.ts";
import { exitCode, type ExitCode } from "../../errors/exit-code.ts";
import { reportError } from "../../errors/report.ts";
import type { Destination } from "../../http/destination.ts";
import { sessionProvider, signerLayer } from "../../request-signing.ts";
import { openSession, type Session, userAgent } from "../../session.ts";
import { writeLine } from "../../terminal/write.ts";
import type { ApiOptions } from "./options.ts";
import { openBody } from "./body.ts";
import { resolvePath } from "./destination.ts";
import { type Field, fieldsToQuery, resolveFields } from "./fields.ts";
import { loadJqProgram } from "./jq.ts";
import { printResponse } from "./print-response.ts";
import { type ResponseHead, responseOutput } from "./response-output.ts";

/** Sends the request, streams the response to stdout, and returns the exit code that its status means. */
export const sendAndPrint = Effect.fnUntraced(function* (options: ApiOptions) {
  const session = yield* openSession(options.globals);
  const provider = yield* sessionProvider(session);
  return yield* Effect.scoped(send(options, session)).pipe(
    Effect.provide(signerLayer(session, provider)),
  );
});

const send = Effect.fnUntraced(function* (options: ApiOptions, session: Session) {
  const jq = options.jq === undefined ? undefined : yield* loadJqProgram(options.jq);
  const signer = yield* RequestSigner;
  let failedRecovery: ModelProviderError | undefined;
  const { target } = yield* signer.sign();
  const destination = yield* resolvePath(options.path, target);
  const body = yield* openBody(options.body);
  const network = yield* makeDispatcher(session.environment);
  const dispatcher = network.compose(
    authInterceptor({
      signer,
      context: yield* Effect.context(),
      otherOrigins: "reject",
      onRecoveryFailed: (error) => {
        failedRecovery = error;
      },
    }),
  );
  const response = yield* printResponse(
    dispatcher,
    responseOutput({ include: options.include, jq }),
    {
      ...(yield* withFields(destination, options.query)),
      method: options.method,
      headers: withDefaults(options.headers, defaultHeaders(session.environment, { userAgent })),
      body,
      // A model may think for a long time before its first word and between two words.
      headersTimeout: 0,
      bodyTimeout: 0,
    },
  );
  return reportStatus(response, failedRecovery, session, signer.provider);
});

const withFields = Effect.fnUntraced(function* (
  { origin, path }: Destination,
  fields: readonly Field[],
) {
  if (fields.length === 0) return { origin, path };
  const query = fieldsToQuery(yield* resolveFields(fields));
  return { origin, path: `${path}${path.includes("?") ? "&" : "?"}${query}` };
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

const reportStatus = (
  { status, statusText }: ResponseHead,
  failedRecovery: ModelProviderError | undefined,
  { config, environment }: Session,
  { auth }: ModelProvider,
): ExitCode => {
  if (status < 400) return exitCode.done;
  const line = `the server responded with ${`${status} ${statusText}`.trimEnd()}`;
  if (status !== 401) {
    writeLine(`Error: ${line}`);
    return exitCode.failed;
  }
  if (failedRecovery === undefined) {
    writeLine(
      `Error: ${line}${fixFor401(auth, overridingEnvVar(environment, { environmentCredentials: true, config }))}`,
    );
  } else {
    // Why the credential could not be refreshed comes first: "run login" could fail for the same reason.
    reportError("Error refreshing the credential", explainCredentialError(failedRecovery));
    writeLine(`Error: ${line}`);
  }
  return exitCode.signInNeeded;
};

/** What fixes a 401. For a provider with its own key, or without any, a sign-in would not help. */
const fixFor401 = (auth: ModelProvider["auth"], variable: string | undefined): string => {
  if (auth._tag === "EnvKey") return `. Correct ${auth.variable}.`;
  if (auth._tag !== "SignedIn") return "";
  return variable === undefined ? ". Run: agent-auth login" : `. Correct or unset ${variable}.`;
};
