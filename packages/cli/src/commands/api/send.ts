import { makeDispatcher, standingHeaders } from "@agent-auth/login/http-client";
import { createAuthenticatedFetch } from "@agent-auth/model-provider/authenticated-fetch";
import { RequestSigner } from "@agent-auth/model-provider/signer";
import * as Effect from "effect/Effect";
import { exitCode, type ExitCode } from "../../exit-code.ts";
import { requestFailure } from "../../http/transport-failure.ts";
import { sessionProvider, signerLayer } from "../../request-signing.ts";
import { openSession, type Session, userAgent } from "../../session.ts";
import { streamAnswer } from "../../terminal/stream-answer.ts";
import { ReaderGone, writeAnswer, writeLine } from "../../terminal/write.ts";
import type { ApiOptions } from "./api.ts";
import { openBody } from "./body.ts";

/** Sends the request, streams the answer, and turns its status into an exit code. */
export const sendAndPrint = Effect.fnUntraced(function* (options: ApiOptions) {
  const session = yield* openSession(options.globals);
  const provider = yield* sessionProvider(session);
  return yield* Effect.scoped(exchange(options, session)).pipe(
    Effect.provide(signerLayer(session, provider)),
  );
});

const exchange = Effect.fnUntraced(function* (options: ApiOptions, session: Session) {
  const signer = yield* RequestSigner;
  const dispatcher = yield* makeDispatcher(session.environment);
  const body = yield* openBody(options.body);
  const fetch = createAuthenticatedFetch({ signer, dispatcher, otherOrigins: "refuse" });
  const response = yield* Effect.tryPromise({
    try: (signal) =>
      fetch(options.path, {
        method: options.method,
        headers: withDefaults(options.headers, standingHeaders(session.environment, { userAgent })),
        signal,
        ...(body !== null && { body, duplex: "half" }),
      }),
    catch: requestFailure,
  });
  if (options.include) writeAnswer(headText(response));
  yield* printBody(response);
  return verdict(response);
});

const withDefaults = (
  given: ApiOptions["headers"],
  defaults: Readonly<Record<string, string>>,
): [string, string][] => {
  const named = new Set(given.map(([name]) => name.toLowerCase()));
  const missing = Object.entries(defaults).filter(([name]) => !named.has(name));
  return [...given, ...missing].map(([name, value]) => [name, value]);
};

const headText = (response: Response): string => {
  const lines = [`HTTP/1.1 ${response.status} ${response.statusText}`.trimEnd()];
  for (const [name, value] of response.headers) lines.push(`${name}: ${value}`);
  return `${lines.join("\r\n")}\r\n\r\n`;
};

const printBody = (response: Response) =>
  Effect.tryPromise({
    try: async () => {
      if (response.body !== null) await streamAnswer(response.body);
    },
    catch: (error) => (error instanceof ReaderGone ? error : requestFailure(error)),
  }).pipe(Effect.catchIf((error) => error instanceof ReaderGone, Effect.die));

const verdict = ({ status, statusText }: Response): ExitCode => {
  if (status < 400) return exitCode.done;
  const hint = status === 401 ? ". Run: agent-auth login" : "";
  writeLine(`Error: the server answered ${`${status} ${statusText}`.trimEnd()}${hint}`);
  return status === 401 ? exitCode.signInNeeded : exitCode.failed;
};
