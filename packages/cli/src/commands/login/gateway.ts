import {
  beginGatewaySignIn,
  type GatewayOptions,
  removeGatewaySignIn,
  saveGatewaySignIn,
  signInToGateway,
  signInToGatewayWithDevice,
} from "@agent-auth/login/gateway-oauth";
import { layer as httpClient } from "@agent-auth/login/http";
import * as Effect from "effect/Effect";
import type { GlobalValues } from "../../argv/command-spec.ts";
import { CliError } from "../../errors/cli-error.ts";
import { exitCode } from "../../errors/exit-code.ts";
import { reportError } from "../../errors/report.ts";
import { openSession, type Session, userAgent } from "../../session.ts";
import { printable } from "../../terminal/safe-text.ts";
import { readTerminalEnvironment } from "../../terminal/terminal-environment.ts";
import { writeLine } from "../../terminal/write.ts";
import { browserOpener } from "./open-browser.ts";

export interface GatewaySignIn {
  readonly globals: GlobalValues;
  readonly providerId: string;
  /** With a code that is entered on any device. */
  readonly isDevice: boolean;
}

/** Signs in to the gateway of a model provider, with a browser or a device code, and stores the tokens. */
export const signIn = (options: GatewaySignIn) =>
  Effect.gen(function* () {
    const session = yield* openSession(options.globals);
    const gateway = yield* gatewayOptions(session, options.providerId);
    yield* beginGatewaySignIn(gateway);
    const tokens = yield* flow(options, gateway).pipe(
      Effect.provide(httpClient(session.environment, { userAgent })),
    );
    yield* saveGatewaySignIn(gateway, tokens);
    session.notify(`Signed in to the gateway of ${options.providerId}`);
    return exitCode.done;
  }).pipe(
    Effect.scoped,
    Effect.catch((error) => Effect.sync(() => reportError("Error logging in", error))),
  );

/** Removes the sign-in to a gateway from this machine. Succeeds if there is none. */
export const signOut = Effect.fnUntraced(function* (session: Session, providerId: string) {
  const gateway = yield* gatewayOptions(session, providerId);
  const isRemoved = yield* removeGatewaySignIn(gateway);
  session.notify(
    isRemoved
      ? `Signed out of the gateway of ${providerId}`
      : `Not signed in to the gateway of ${providerId}`,
  );
  return exitCode.done;
});

const flow = ({ isDevice }: GatewaySignIn, gateway: GatewayOptions) => {
  if (isDevice)
    return signInToGatewayWithDevice({
      ...gateway,
      onCode: ({ userCode, verificationUrl }) =>
        Effect.sync(() => {
          writeLine("To sign in, open this page on any device:");
          writeLine(`\n${printable(verificationUrl)}\n`);
          writeLine("and enter this code:");
          writeLine(`\n${printable(userCode)}\n`);
        }),
    });
  const terminal = readTerminalEnvironment(process.env, process.stderr, process.platform);
  const openBrowser = browserOpener(terminal);
  return signInToGateway({
    ...gateway,
    onAuthorizeUrl: (url) =>
      Effect.sync(() => {
        writeLine("Open this address in a browser on this machine to sign in:");
        writeLine(`\n${printable(url)}\n`);
      }).pipe(
        Effect.andThen(openBrowser === undefined ? Effect.void : Effect.ignore(openBrowser(url))),
      ),
  });
};

/** Returns the gateway sign-in of a model provider. Fails if the provider has no gateway, or one whose token a command prints. */
const gatewayOptions = (
  { config, environment }: Session,
  providerId: string,
): Effect.Effect<GatewayOptions, CliError> => {
  const gateway = config.modelProviders.get(providerId)?.gatewayOauth;
  if (gateway?._tag === "Session")
    return Effect.succeed({ providerId, config: gateway, codexHome: environment.codexHome });
  const table = `[model_providers.${providerId}.gateway_oauth]`;
  const keys = "authorization_url, token_url and client_id";
  const [message, hint] =
    gateway === undefined
      ? [
          `model provider ${providerId} has no gateway to sign in to`,
          `Add ${table} with ${keys} to config.toml.`,
        ]
      : [
          `a command prints the gateway token of model provider ${providerId}: there is no sign-in`,
          `To sign in instead, replace credential_export in ${table} with ${keys}.`,
        ];
  return Effect.fail(new CliError({ code: "CLI_NO_GATEWAY", message, hint }));
};
