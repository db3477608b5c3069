import { createHash, randomBytes } from "node:crypto";
import { mkdirSync, realpathSync } from "node:fs";
import { join } from "node:path";
import * as Effect from "effect/Effect";
import * as Redacted from "effect/Redacted";
import type * as Scope from "effect/Scope";
import * as z from "zod/mini";
import type { CodexHome } from "../config/codex-home.ts";
import type { GatewaySessionConfig } from "../config/types.ts";
import { GatewaySignInInProgress, GatewayStoreUnusable } from "../errors/gateway.ts";
import { compact } from "../internal/compact.ts";
import { parseJson } from "@agent-auth/agent-identity/encoding";
import { describeSystemError } from "../storage/fs/system-error.ts";
import { acquireFlock } from "../storage/lock/flock.ts";
import { controlOf } from "../storage/privilege.ts";
import { openEncryptedSecrets, openPlainSecrets } from "./secrets-file.ts";

/** The tokens of one gateway sign-in. */
export interface GatewayTokenSet {
  readonly accessToken: Redacted.Redacted;
  readonly refreshToken?: Redacted.Redacted;
  /** Milliseconds since the epoch; absent if the server does not say. */
  readonly expiresAtMs?: number;
  /** Random, new at each sign-in, as in Codex. */
  readonly authorizationId: string;
}

/** Where gateway sign-ins are kept, shared with Codex. */
export interface GatewayStore {
  readonly path: string;
  readonly load: Effect.Effect<GatewayTokenSet | undefined, GatewayStoreUnusable>;
  /** Under the lock. */
  readonly save: (tokens: GatewayTokenSet) => Effect.Effect<void, GatewayStoreUnusable>;
  /** Under the lock. False if there was nothing. */
  readonly remove: Effect.Effect<boolean, GatewayStoreUnusable>;
  /** Fails if nothing could be saved, for example because the keyring is locked. */
  readonly check: Effect.Effect<void, GatewayStoreUnusable>;
  /** Excludes other processes, Codex included, until the scope closes. */
  readonly lock: Effect.Effect<void, GatewayStoreUnusable, Scope.Scope>;
  /** Like `lock`, but for a whole sign-in: only one runs at a time. */
  readonly signInLock: Effect.Effect<
    void,
    GatewayStoreUnusable | GatewaySignInInProgress,
    Scope.Scope
  >;
}

/** Random bytes that name a sign-in. */
export const newAuthorizationId = (): string => randomBytes(32).toString("base64url");

const maxWaitMs = 60_000;

/**
 * Returns Codex's name for a sign-in: a digest of the home folder and of what identifies the client.
 *
 * @example
 * ```ts
 * import { gatewayCredentialId } from "@agent-auth/login/gateway-oauth";
 *
 * gatewayCredentialId("/home/ada/.codex", {
 *   _tag: "Session",
 *   authorizationUrl: "https://login.example/authorize",
 *   tokenUrl: "https://login.example/token",
 *   clientId: "codex",
 *   scopes: [],
 *   store: "file",
 * }); // "provider-oauth|…"
 * ```
 */
export const gatewayCredentialId = (codexHome: string, config: GatewaySessionConfig): string => {
  const { authorizationUrl, clientId, resource = "", scopes, tokenUrl } = config;
  const digest = createHash("sha256");
  for (const part of [codexHome, authorizationUrl, tokenUrl, clientId, resource, ...scopes])
    digest.update(`${part}\0`);
  return `provider-oauth|${digest.digest("hex")}`;
};

/** Codex follows the links of a folder that `CODEX_HOME` names, and not of the default one. */
const nameOf = ({ explicit, path }: CodexHome): string => {
  try {
    return explicit ? realpathSync(path) : path;
  } catch {
    return path; // the store says what is wrong with it
  }
};

const Stored = z.object({
  access_token: z.string().check(z.minLength(1)),
  refresh_token: z.nullish(z.string()),
  expires_at: z.nullish(z.number()),
  authorization_id: z.nullish(z.string()),
});

/**
 * The store of one sign-in, which Codex uses as well: with `credentials_store = "file"` the file
 * `secrets/gateway_oauth.json` in CODEX_HOME, else `secrets/gateway_oauth.age`, whose key is in the OS keyring.
 */
export const openGatewayStore = (home: CodexHome, config: GatewaySessionConfig): GatewayStore => {
  const folder = join(home.path, "secrets");
  const id = gatewayCredentialId(nameOf(home), config);
  const secrets =
    config.store === "keyring"
      ? openEncryptedSecrets(home, folder)
      : openPlainSecrets(join(folder, "gateway_oauth.json"));
  const { path } = secrets;
  const key = config.store === "keyring" ? `global/${lockName(id)}` : id;
  const unusable = (reason: string, hint: string) =>
    new GatewayStoreUnusable({ path, reason, hint });
  const flock = (name: string, maxWaitMs: number) =>
    Effect.try({
      try: () => mkdirSync(folder, { recursive: true, mode: 0o700 }),
      catch: (error) =>
        unusable(describeSystemError(error).reason, "Correct the permissions of CODEX_HOME."),
    }).pipe(
      Effect.andThen(
        acquireFlock({ path: join(folder, name), control: controlOf(path), maxWaitMs }),
      ),
    );
  return {
    path,
    load: Effect.flatMap(secrets.read, (all) => {
      const entry = Object.hasOwn(all, key) ? all[key] : undefined;
      if (entry === undefined) return Effect.undefined;
      const parsed = z.safeParse(Stored, typeof entry === "string" ? parseJson(entry) : entry);
      return parsed.success
        ? Effect.succeed(fromStored(parsed.data))
        : Effect.fail(
            unusable("the stored sign-in is incomplete", "Sign out of the gateway, and in again."),
          );
    }),
    save: (tokens) =>
      Effect.flatMap(secrets.read, (all) => {
        const stored = toStored(tokens);
        const entry = config.store === "keyring" ? JSON.stringify(stored) : stored;
        return secrets.write({ ...all, [key]: entry });
      }),
    remove: Effect.flatMap(secrets.read, ({ [key]: found, ...others }) =>
      found === undefined ? Effect.succeed(false) : Effect.as(secrets.write(others), true),
    ),
    check: secrets.check,
    lock: flock("gateway_oauth.lock", maxWaitMs).pipe(
      Effect.mapError((error) =>
        error instanceof GatewayStoreUnusable ? error : unusable(error.message, error.hint),
      ),
      Effect.asVoid,
    ),
    signInLock: flock(`${lockName(id)}.login.lock`, 0).pipe(
      Effect.mapError((error) => {
        if (error instanceof GatewayStoreUnusable) return error;
        return error._tag === "HomeLockBusy"
          ? new GatewaySignInInProgress({ lockPath: error.path })
          : unusable(error.message, error.hint);
      }),
      Effect.asVoid,
    ),
  };
};

/** Codex's name for a sign-in in the names of files and of encrypted secrets. */
const lockName = (id: string): string => id.toUpperCase().replaceAll(/[^A-Z0-9]/g, "_");

const fromStored = (stored: z.infer<typeof Stored>): GatewayTokenSet =>
  compact({
    accessToken: Redacted.make(stored.access_token, { label: "gateway token" }),
    refreshToken:
      typeof stored.refresh_token === "string"
        ? Redacted.make(stored.refresh_token, { label: "gateway refresh token" })
        : undefined,
    expiresAtMs: typeof stored.expires_at === "number" ? stored.expires_at * 1000 : undefined,
    authorizationId: stored.authorization_id ?? newAuthorizationId(),
  });

const toStored = (tokens: GatewayTokenSet) => ({
  access_token: Redacted.value(tokens.accessToken),
  authorization_id: tokens.authorizationId,
  ...compact({
    refresh_token: tokens.refreshToken && Redacted.value(tokens.refreshToken),
    expires_at: tokens.expiresAtMs && Math.floor(tokens.expiresAtMs / 1000),
  }),
});
