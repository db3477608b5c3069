import * as Effect from "effect/Effect";
import type { Command, GlobalValues } from "../../argv/command-spec.ts";
import type { ExitCode } from "../../errors/exit-code.ts";
import { CliError } from "../../errors/cli-error.ts";
import { reportError } from "../../errors/report.ts";
import type { PersonSignInOptions } from "./sign-in-as-person.ts";
import { spec } from "./spec.ts";

/** Where the credential comes from. */
export type LoginSource = "browser" | "deviceAuth" | "apiKey" | "agentIdentity" | "accessToken";

export interface LoginOptions extends PersonSignInOptions {
  /** At most one; more are a usage error when the command runs. */
  readonly sources: readonly LoginSource[];
  /** The model provider whose gateway to sign in to. */
  readonly provider?: string;
}

export const command: Command<typeof spec.flags, LoginOptions> = {
  spec,
  options: ({ flags, globals }) => ({
    globals,
    sources: chosenSources(flags),
    ...(flags.provider !== undefined && { provider: flags.provider }),
    ...(flags.issuer !== undefined && { issuer: flags.issuer }),
    ...(flags["client-id"] !== undefined && { clientId: flags["client-id"] }),
  }),
};

/** Signs in with the requested method; by default in the browser. */
export const run = (options: LoginOptions): Effect.Effect<ExitCode> => {
  const [source = "browser", ...others] = options.sources;
  if (others.length > 0) return Effect.sync(() => reportError("Error logging in", conflict));
  const { globals, provider } = options;
  if (provider !== undefined) {
    if (source !== "browser" && source !== "deviceAuth")
      return Effect.sync(() => reportError("Error logging in", conflict));
    return Effect.flatMap(
      Effect.promise(() => import("./gateway.ts")),
      (way) => way.signIn({ globals, providerId: provider, isDevice: source === "deviceAuth" }),
    );
  }
  if (source === "browser" || source === "deviceAuth") return loginAsPerson(source, options);
  return loginFromStdin(source, options.globals);
};

const loginAsPerson = (source: "browser" | "deviceAuth", options: PersonSignInOptions) =>
  Effect.promise(() =>
    source === "browser" ? import("./browser.ts") : import("./device.ts"),
  ).pipe(Effect.flatMap((way) => way.signIn(options)));

const loginFromStdin = (
  source: "apiKey" | "agentIdentity" | "accessToken",
  globals: GlobalValues,
) =>
  Effect.promise(() => import("./from-stdin.ts")).pipe(
    Effect.flatMap((way) => way.signIn(source, globals)),
  );

const chosenSources = (flags: {
  readonly "device-auth": boolean;
  readonly "with-api-key": boolean;
  readonly "with-agent-identity": boolean;
  readonly "with-access-token": boolean;
}): readonly LoginSource[] => [
  ...(flags["with-api-key"] ? ["apiKey" as const] : []),
  ...(flags["with-access-token"] ? ["accessToken" as const] : []),
  ...(flags["with-agent-identity"] ? ["agentIdentity" as const] : []),
  ...(flags["device-auth"] ? ["deviceAuth" as const] : []),
];

const conflict = new CliError({
  code: "CLI_SOURCES_CONFLICT",
  message:
    "Choose one login credential source: --with-api-key, --with-access-token, --with-agent-identity or --device-auth.",
});
