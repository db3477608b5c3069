import { makeDispatcher, defaultHeaders } from "@agent-auth/login/http";
import { authInterceptor } from "@agent-auth/model-provider/dispatcher";
import { RequestSigner } from "@agent-auth/model-provider/signing";
import * as Effect from "effect/Effect";
import type { Command, GlobalValues } from "../../argv/command-spec.ts";
import { parseInteger } from "../../argv/parse.ts";
import { explainCredentialError } from "../../errors/credential-error.ts";
import { errorToJson, reportError } from "../../errors/report.ts";
import { accessLine } from "../../proxy/access-log.ts";
import { loadClientToken, makeTokenGuard, tokenHeaders } from "../../proxy/client-token.ts";
import type { ForwardContext } from "../../proxy/forward.ts";
import { makeHeaderFilter } from "../../proxy/header-filter.ts";
import { canSeePeerUsers, makePeerGuard } from "../../proxy/peer-user.ts";
import type { ListenAddress } from "../../proxy/request-guard.ts";
import { serveProxy } from "../../proxy/server.ts";
import { CliError } from "../../errors/cli-error.ts";
import { UsageError } from "../../argv/usage-error.ts";
import { sessionProvider, signerLayer } from "../../request-signing.ts";
import { openSession, type Session, userAgent } from "../../session.ts";
import { writeAnswer, writeJson } from "../../terminal/write.ts";
import { spec } from "./spec.ts";

export interface ProxyOptions {
  /** A Unix socket, or a port of 127.0.0.1; 0 means any free one. */
  readonly address: ListenAddress;
  /** File that holds the token which clients have to send. */
  readonly tokenFile?: string;
  readonly allowOtherUsers: boolean;
  readonly cookies: boolean;
  readonly graceMs: number;
  readonly json: boolean;
  readonly globals: GlobalValues;
}

export const command: Command<typeof spec.flags, ProxyOptions> = {
  spec,
  options: ({ flags, globals }) => ({
    address: addressOf(flags),
    ...(flags["token-file"] !== undefined && { tokenFile: flags["token-file"] }),
    allowOtherUsers: flags["allow-other-users"],
    cookies: flags.cookies,
    graceMs:
      1000 * parseInteger("--grace", flags.grace ?? "10", { min: 0, max: 3600, path: spec.path }),
    json: flags.json,
    globals,
  }),
};

const addressOf = (flags: {
  readonly port?: string | undefined;
  readonly listen?: string | undefined;
}): ListenAddress => {
  if (flags.listen === undefined)
    return {
      port: parseInteger("--port", flags.port ?? "0", { min: 0, max: 65_535, path: spec.path }),
    };
  if (flags.port !== undefined)
    throw new UsageError("--port and --listen cannot be used together", spec.path);
  const socketPath = /^unix:(?:\/\/)?(\/(?!\/).+)$/u.exec(flags.listen)?.[1];
  if (socketPath === undefined)
    throw new UsageError("--listen takes unix:// and an absolute path", spec.path);
  return { socketPath };
};

/** Serves until it is interrupted. */
export const run = (options: ProxyOptions) =>
  proxy(options).pipe(
    Effect.mapError(explainCredentialError),
    Effect.catch((error) =>
      Effect.sync(() => {
        if (options.json) writeJson({ error: errorToJson(error) });
        return reportError("Error starting the proxy", error);
      }),
    ),
  );

const proxy = Effect.fnUntraced(function* (options: ProxyOptions) {
  const session = yield* openSession(options.globals);
  const provider = yield* sessionProvider(session);
  return yield* Effect.scoped(serve(options, session)).pipe(
    Effect.provide(signerLayer(session, provider, "keep")),
  );
});

const serve = Effect.fnUntraced(function* (options: ProxyOptions, session: Session) {
  const signer = yield* RequestSigner;
  const services = yield* Effect.context();
  // If requests cannot be signed, report it now, not with the first request.
  yield* signer.sign();
  const dispatcher = yield* makeDispatcher(session.environment);
  const { tokenFile } = options;
  const token = tokenFile === undefined ? undefined : yield* clientToken(tokenFile);
  const context: ForwardContext = {
    dispatcher: dispatcher.compose(
      authInterceptor({ signer, context: services, otherOrigins: "reject" }),
    ),
    signed: () => signer.signNow() ?? Effect.runPromiseWith(services)(signer.sign()),
    defaults: defaultHeaders(session.environment, { userAgent }),
    headers: makeHeaderFilter({
      cookies: options.cookies,
      ...(token !== undefined && { dropRequestHeaders: tokenHeaders }),
    }),
    done: ({ request, ...outcome }) =>
      session.notify(
        accessLine({
          ...outcome,
          method: request.method ?? "",
          url: request.url ?? "",
          endedAtMs: Date.now(),
        }),
      ),
  };
  const address = yield* serveProxy({
    address: options.address,
    graceMs: options.graceMs,
    context,
    ...peerGuardFor(options, token, session),
    ...(token !== undefined && { tokenGuard: makeTokenGuard(token) }),
  });
  if ("port" in address) {
    const baseUrl = `http://127.0.0.1:${address.port}`;
    if (options.json) writeJson({ baseUrl, port: address.port });
    else writeAnswer(`${baseUrl}\n`);
  } else if (options.json) writeJson({ socketPath: address.socketPath });
  else writeAnswer(`unix://${address.socketPath}\n`);
  return yield* Effect.never;
});

const clientToken = (path: string) =>
  Effect.try({
    try: () => loadClientToken(path),
    catch: (error) => {
      if (error instanceof CliError) return error;
      throw error;
    },
  });

/** The permissions of a Unix socket keep other users out by themselves. */
const peerGuardFor = (
  { address, allowOtherUsers }: ProxyOptions,
  token: string | undefined,
  session: Session,
) => {
  if (allowOtherUsers || "socketPath" in address) return {};
  if (canSeePeerUsers()) return { peerGuard: makePeerGuard(process.geteuid?.() ?? 0) };
  if (token === undefined)
    session.notify(
      "warning: every user of this machine can use this proxy; prevent that with --token-file or --listen unix://",
    );
  return {};
};
