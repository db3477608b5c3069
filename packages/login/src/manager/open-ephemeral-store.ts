import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import * as Option from "effect/Option";
import type * as Scope from "effect/Scope";
import type { CredentialStore } from "../storage/index.ts";
import { ephemeralStore, EphemeralStore } from "../storage/ephemeral.ts";
import type { CodexHome } from "../config/environment.ts";
import type { AuthManagerOptions } from "./types.ts";

/** The memory beside the configured store: the one that the manager was given, else one of its own. */
export const openEphemeralStore: Effect.Effect<CredentialStore["Service"], never, Scope.Scope> =
  Effect.flatMap(
    Effect.serviceOption(EphemeralStore),
    Option.match({
      onSome: Effect.succeed,
      onNone: () => Effect.map(Layer.build(ephemeralStore), Context.get(EphemeralStore)),
    }),
  );

/** The folder that a manager works in. One that is named by the options alone has to exist. */
export const codexHomeOf = ({
  codexHome,
  environment,
}: Pick<AuthManagerOptions, "codexHome" | "environment">): CodexHome =>
  codexHome === undefined || codexHome === environment.codexHome.path
    ? environment.codexHome
    : { path: codexHome, explicit: true };
