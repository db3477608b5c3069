import { makeDispatcher, standingHeaders } from "@agent-auth/login/http-client";
import { RequestSigner } from "@agent-auth/model-provider/signer";
import { authInterceptor } from "@agent-auth/model-provider/undici-interceptor";
import * as Effect from "effect/Effect";
import type { Command, GlobalValues } from "../../argv/command-spec.ts";
import { wholeNumber } from "../../argv/whole-number.ts";
import { accessLine } from "../../proxy/access-log.ts";
import type { ExchangeTools } from "../../proxy/exchange.ts";
import { listen } from "../../proxy/server.ts";
import { reportError } from "../../report-error.ts";
import { sessionProvider, signerLayer } from "../../request-signing.ts";
import { openSession, type Session, userAgent } from "../../session.ts";
import { writeAnswer, writeJson } from "../../terminal/write.ts";
import { spec } from "./spec.ts";

export interface ProxyOptions {
  /** 0: any free port. */
  readonly port: number;
  readonly graceMs: number;
  readonly json: boolean;
  readonly globals: GlobalValues;
}

export const command: Command<typeof spec.flags, ProxyOptions> = {
  spec,
  options: ({ flags, globals }) => ({
    port: wholeNumber("--port", flags.port ?? "0", { min: 0, max: 65_535 }),
    graceMs: 1000 * wholeNumber("--grace", flags.grace ?? "10", { min: 0, max: 3600 }),
    json: flags.json,
    globals,
  }),
};

/** Serves until it is interrupted. */
export const run = (options: ProxyOptions) =>
  proxy(options).pipe(
    Effect.catch((error) => Effect.sync(() => reportError("Error starting the proxy", error))),
  );

const proxy = Effect.fnUntraced(function* (options: ProxyOptions) {
  const session = yield* openSession(options.globals);
  const provider = yield* sessionProvider(session);
  return yield* Effect.scoped(serve(options, session)).pipe(
    Effect.provide(signerLayer(session, provider)),
  );
});

const serve = Effect.fnUntraced(function* (options: ProxyOptions, session: Session) {
  const signer = yield* RequestSigner;
  // Whoever cannot sign now should hear it now, not with the first request.
  yield* signer.sign();
  const dispatcher = yield* makeDispatcher(session.environment);
  const tools: ExchangeTools = {
    dispatcher: dispatcher.compose(authInterceptor({ signer, otherOrigins: "refuse" })),
    signed: () => signer.signNow() ?? Effect.runPromise(signer.sign()),
    defaults: standingHeaders(session.environment, { userAgent }),
    done: ({ request, ...outcome }) =>
      session.say(
        accessLine({
          ...outcome,
          method: request.method ?? "",
          url: request.url ?? "",
          endedAtMs: Date.now(),
        }),
      ),
  };
  const port = yield* listen({ port: options.port, graceMs: options.graceMs, tools });
  const baseUrl = `http://127.0.0.1:${port}`;
  if (options.json) writeJson({ baseUrl, port });
  else writeAnswer(`${baseUrl}\n`);
  return yield* Effect.never;
});
