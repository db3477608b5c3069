import {
  capabilityTokenFromFile,
  type ListenerAuth,
  sharedSecretFromFile,
} from "@agent-auth/app-server/server";
import * as Effect from "effect/Effect";
import { parseInteger } from "../../argv/parse.ts";
import type { FlagValues } from "../../argv/command-spec.ts";
import { CliError } from "../../errors/cli-error.ts";
import { serveSpec } from "./specs.ts";

/** The flags that decide how WebSocket clients authenticate. */
export type AuthFlags = Pick<
  FlagValues<typeof serveSpec.flags>,
  | "ws-auth"
  | "ws-token-file"
  | "ws-token-sha256"
  | "ws-shared-secret-file"
  | "ws-issuer"
  | "ws-audience"
  | "ws-max-clock-skew-seconds"
>;

const refuse = (message: string) => new CliError({ code: "CLI_APP_SERVER_AUTH_FLAGS", message });

const signedFlags = [
  "ws-shared-secret-file",
  "ws-issuer",
  "ws-audience",
  "ws-max-clock-skew-seconds",
] as const;

/**
 * The authentication that the flags ask for; `undefined` without `--ws-auth`. Fails, with Codex's texts, if they cannot be
 * combined, and if a file cannot be used.
 */
export const listenerAuth = Effect.fnUntraced(function* (flags: AuthFlags) {
  const { "ws-token-file": tokenFile, "ws-token-sha256": tokenDigest } = flags;
  const hasTokenFlag = tokenFile !== undefined || tokenDigest !== undefined;
  const hasSignedFlag = signedFlags.some((name) => flags[name] !== undefined);
  switch (flags["ws-auth"]) {
    case "capability-token":
      if (hasSignedFlag)
        return yield* refuse(
          "`--ws-shared-secret-file`, `--ws-issuer`, `--ws-audience`, and `--ws-max-clock-skew-seconds` require `--ws-auth signed-bearer-token`",
        );
      if (tokenFile !== undefined && tokenDigest !== undefined)
        return yield* refuse("`--ws-token-file` and `--ws-token-sha256` are mutually exclusive");
      if (tokenFile !== undefined) return yield* capabilityTokenFromFile(tokenFile);
      if (tokenDigest === undefined)
        return yield* refuse(
          "`--ws-token-file` or `--ws-token-sha256` is required when `--ws-auth capability-token` is set",
        );
      return yield* digestOf(tokenDigest.trim());
    case "signed-bearer-token":
      if (hasTokenFlag)
        return yield* refuse(
          "`--ws-token-file` and `--ws-token-sha256` require `--ws-auth capability-token`, not `signed-bearer-token`",
        );
      return yield* signedBearerToken(flags);
    default:
      if (hasTokenFlag || hasSignedFlag)
        return yield* refuse(
          "websocket auth flags require `--ws-auth capability-token` or `--ws-auth signed-bearer-token`",
        );
      return flags["ws-auth"] === "none" ? none : undefined;
  }
});

const none: ListenerAuth = { _tag: "None" };

const digestOf = (hex: string): Effect.Effect<ListenerAuth, CliError> =>
  /^[\da-f]{64}$/iu.test(hex)
    ? Effect.succeed({ _tag: "CapabilityToken", sha256: Buffer.from(hex, "hex") })
    : refuse("--ws-token-sha256 must be a 64-character hex SHA-256 digest");

const signedBearerToken = Effect.fnUntraced(function* (flags: AuthFlags) {
  const {
    "ws-shared-secret-file": secretFile,
    "ws-issuer": issuer,
    "ws-audience": audience,
    "ws-max-clock-skew-seconds": skew,
  } = flags;
  if (secretFile === undefined)
    return yield* refuse(
      "`--ws-shared-secret-file` is required when `--ws-auth signed-bearer-token` is set",
    );
  const auth: ListenerAuth = {
    _tag: "SignedBearerToken",
    secret: yield* sharedSecretFromFile(secretFile),
    ...(issuer !== undefined && { issuer }),
    ...(audience !== undefined && { audience }),
    ...(skew !== undefined && { maxClockSkewSeconds: clockSkew(skew) }),
  };
  return auth;
});

/** @throws UsageError if the flag's value is not a whole number of seconds */
export const clockSkew = (text: string): number =>
  parseInteger("--ws-max-clock-skew-seconds", text, {
    min: 0,
    max: 999_999_999,
    path: serveSpec.path,
  });
