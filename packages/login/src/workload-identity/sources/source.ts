import type { HttpTransport } from "@agent-auth/agent-identity/http";
import type * as Effect from "effect/Effect";
import * as Redacted from "effect/Redacted";
import type { LoginEnvironment } from "../../config/environment.ts";
import { IdentityTokenUnavailable } from "../../errors/workload-identity.ts";
import type { IdentitySource } from "../settings.ts";

/** Fetches or reads the identity token of this program, anew at each call. */
export type FetchIdentityToken = (
  source: IdentitySource,
  environment: Pick<LoginEnvironment, "variable">,
) => Effect.Effect<Redacted.Redacted, IdentityTokenUnavailable, HttpTransport>;

/** Bytes of an identity token, as in Codex. */
export const maxTokenBytes = 16_384;

/** An error that tells what this source lacks. */
export const unavailable = (
  source: IdentitySource,
  text: string,
  hint: string,
  remedy: IdentityTokenUnavailable["remedy"] = "fixEnvironment",
): IdentityTokenUnavailable =>
  new IdentityTokenUnavailable({ source: source.name, text, hint, remedy });

/** The token in a platform's answer, trimmed; an error if it is empty, too long, or cannot be a token. */
export const checkToken = (
  source: IdentitySource,
  text: string,
  hint: string,
): Redacted.Redacted | IdentityTokenUnavailable => {
  const token = text.trim();
  if (Buffer.byteLength(token) > maxTokenBytes)
    return unavailable(source, "the workload identity assertion exceeds 16 KiB", hint);
  if (token === "" || token.includes("\0") || token.includes("\uFFFD"))
    return unavailable(source, "the workload identity assertion is invalid", hint);
  return Redacted.make(token, { label: "identity token" });
};
