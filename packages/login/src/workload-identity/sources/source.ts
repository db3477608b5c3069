import type { HttpTransport } from "@agent-auth/agent-identity/http";
import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import * as Redacted from "effect/Redacted";
import type { LoginEnvironment } from "../../config/environment.ts";
import { IdentityTokenUnavailable } from "../../errors/workload-identity.ts";
import { isJsonObject, parseJson } from "@agent-auth/agent-identity/encoding";
import type { IdentitySource } from "../settings.ts";

/** The variables of the process that a source reads. */
export type SourceEnvironment = Pick<LoginEnvironment, "variable">;

/** Fetches or reads the identity token of this program, again at each call. */
export type FetchIdentityToken = (
  source: IdentitySource,
  environment: SourceEnvironment,
) => Effect.Effect<Redacted.Redacted, IdentityTokenUnavailable, HttpTransport>;

/** Bytes of an identity token, as in Codex. */
export const maxTokenBytes = 16_384;

/** Bytes of a platform's response: a token with some JSON around it. */
export const maxResponseBytes = 65_536;

type Remedy = IdentityTokenUnavailable["remedy"];

/** The error of a source that cannot supply a token. */
export const unavailable = (
  source: IdentitySource,
  text: string,
  hint: string,
  remedy: Remedy = "fixEnvironment",
): IdentityTokenUnavailable =>
  new IdentityTokenUnavailable({ source: source.name, text, hint, remedy });

/** The value of a variable that the platform sets, or an error that names it. */
export const requireVariable = (
  source: IdentitySource,
  environment: SourceEnvironment,
  name: string,
  hint: string,
): Effect.Effect<Redacted.Redacted, IdentityTokenUnavailable> => {
  const value = environment.variable(name);
  return value === undefined
    ? Effect.fail(unavailable(source, `${source.name}: ${name} is not set`, hint))
    : Effect.succeed(value);
};

/** The configured audience, or an error: a token for the platform's default audience would be valid elsewhere. */
export const requireAudience = (
  source: IdentitySource,
): Effect.Effect<string, IdentityTokenUnavailable> =>
  source.audience === undefined
    ? Effect.fail(
        unavailable(
          source,
          `${source.name}: the audience of the identity token is not configured`,
          "Set agent_auth.workload_identity.audience to the audience that your administrator gave you.",
          "fixConfig",
        ),
      )
    : Effect.succeed(source.audience);

/** A token that a platform supplied, trimmed. Fails if it is empty, too long or more than one word. */
export const checkToken = (
  source: IdentitySource,
  text: string,
  hint: string,
): Effect.Effect<Redacted.Redacted, IdentityTokenUnavailable> => {
  const token = text.trim();
  if (Buffer.byteLength(token) > maxTokenBytes)
    return Effect.fail(unavailable(source, "the workload identity assertion exceeds 16 KiB", hint));
  return token === "" || /[\p{Cc}\s\uFFFD]/u.test(token)
    ? Effect.fail(unavailable(source, "the workload identity assertion is invalid", hint))
    : Effect.succeed(Redacted.make(token, { label: "identity token" }));
};

/** A token of the platform, after `checkToken` and `checkClaims`. */
export const checkPlatformToken = (
  source: IdentitySource,
  text: string,
  hint: string,
  expiredHint?: string,
): Effect.Effect<Redacted.Redacted, IdentityTokenUnavailable> =>
  Effect.flatMap(checkToken(source, text, hint), (token) =>
    checkClaims(source, token, hint, expiredHint),
  );

/**
 * Fails early, with a better reason than the token endpoint gives, if the token is not a JWT, if it has expired or does
 * not say when, or if it was issued for another audience than the configured one. Nothing is verified: the token endpoint
 * does that. `expiredHint` is for a platform that issues a token once, or replaces a file: the others issue a new token at
 * each call, so that only a wrong clock explains an expired one.
 */
export const checkClaims = Effect.fnUntraced(function* (
  source: IdentitySource,
  token: Redacted.Redacted,
  hint: string,
  expiredHint = "Check the clock of this machine.",
): Effect.fn.Return<Redacted.Redacted, IdentityTokenUnavailable> {
  const fail = (what: string, nextStep = hint) =>
    Effect.fail(unavailable(source, `${source.name}: the identity token ${what}`, nextStep));
  const claims = unverifiedClaims(Redacted.value(token));
  // An error page, for example, must not be sent to the token endpoint.
  if (claims === undefined) return yield* fail("is not a JWT");
  const { audiences, exp } = claims;
  if (typeof exp !== "number") return yield* fail("does not say when it expires");
  if (exp * 1000 <= (yield* Clock.currentTimeMillis))
    return yield* fail("has expired", expiredHint);
  const { audience } = source;
  // Azure may issue a token for an application under another of its names.
  if (audience === undefined || source.name === "azure-imds" || audiences.includes(audience))
    return token;
  return yield* fail(`was not issued for the audience ${audience}`);
});

/** The audiences and the expiry that a JWT claims, without verification; `undefined` if the text is not a JWT. */
export const unverifiedClaims = (
  jwt: string,
): { readonly audiences: ReadonlyArray<unknown>; readonly exp: unknown } | undefined => {
  const [, payload, signature] = jwt.split(".");
  if (payload === undefined || signature === undefined) return undefined;
  const claims = parseJson(Buffer.from(payload, "base64url").toString("utf8"));
  if (!isJsonObject(claims)) return undefined;
  const { aud, exp } = claims;
  return { audiences: Array.isArray(aud) ? aud : [aud], exp };
};

/** The text member of a JSON object, or `undefined`. */
export const textMember = (body: string, name: string): string | undefined => {
  const json = parseJson(body);
  const value = isJsonObject(json) && Object.hasOwn(json, name) ? json[name] : undefined;
  return typeof value === "string" ? value : undefined;
};
