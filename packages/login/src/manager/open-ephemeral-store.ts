import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import type * as Scope from "effect/Scope";
import { CredentialStore } from "../storage/index.ts";
import * as Ephemeral from "../storage/ephemeral.ts";
import type { CodexHome } from "../config/environment.ts";
import type { AuthManagerOptions } from "./types.ts";

/** The memory that everything in this process shares for one CODEX_HOME, beside the configured store. */
export const openEphemeralStore = (
  options: AuthManagerOptions,
): Effect.Effect<CredentialStore["Service"], never, Scope.Scope> =>
  Effect.map(Layer.build(Ephemeral.layer({ codexHome: codexHomeOf(options) })), (services) =>
    Context.get(services, CredentialStore),
  );

/** The folder that a manager works in. One that is named by the options alone has to exist. */
export const codexHomeOf = ({
  codexHome,
  environment,
}: Pick<AuthManagerOptions, "codexHome" | "environment">): CodexHome =>
  codexHome === undefined || codexHome === environment.codexHome.path
    ? environment.codexHome
    : { path: codexHome, explicit: true };
