import { createHash, randomBytes } from "node:crypto";
import { mkdirSync, realpathSync } from "node:fs";
import { join } from "node:path";
import * as Effect from "effect/Effect";
import * as Redacted from "effect/Redacted";
import type * as Scope from "effect/Scope";
import * as z from "zod/mini";
import type { CodexHome } from "../config/codex-home.ts";
import type { GatewaySessionConfig } from "../config/types.ts";
import { GatewayStoreUnusable } from "../errors/gateway.ts";
import { compact } from "../internal/compact.ts";
import { parseJson } from "@agent-auth/agent-identity/encoding";
import { readSmallFile } from "../storage/fs/read.ts";
import { replaceFile } from "../storage/fs/replace.ts";
import { describeSystemError } from "../storage/fs/system-error.ts";
import { resolveTarget } from "../storage/fs/target.ts";
import { acquireFlock } from "../storage/lock/flock.ts";
import { controlOf } from "../storage/privilege.ts";

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
  /** Excludes other processes, Codex included, until the scope closes. */
  readonly lock: Effect.Effect<void, GatewayStoreUnusable, Scope.Scope>;
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

/** The file `secrets/gateway_oauth.json` in CODEX_HOME, which Codex uses with `credentials_store = "file"`. */
export const openGatewayStore = (home: CodexHome, config: GatewaySessionConfig): GatewayStore => {
  const folder = join(home.path, "secrets");
  const path = join(folder, "gateway_oauth.json");
  const id = gatewayCredentialId(nameOf(home), config);
  const unusable = (reason: string, hint = "Correct or remove the file, and sign in again.") =>
    new GatewayStoreUnusable({ path, reason, hint });
  const attempt = <A>(run: () => A | Promise<A>): Effect.Effect<A, GatewayStoreUnusable> =>
    Effect.tryPromise({
      try: async () => run(),
      catch: (error) =>
        error instanceof GatewayStoreUnusable
          ? error
          : unusable(describeSystemError(error).reason, "Correct the permissions of CODEX_HOME."),
    });
  if (config.store === "keyring") {
    const refused = Effect.fail(
      unusable(
        "they are in the encrypted store of Codex, which only Codex can read",
        'Set credentials_store = "file" in gateway_oauth, and sign in again.',
      ),
    );
    return { path, load: refused, save: () => refused, remove: refused, lock: refused };
  }
  const readAll = (): Record<string, unknown> => {
    const bytes = readSmallFile(path);
    if (bytes === undefined) return {};
    const json = parseJson(new TextDecoder().decode(bytes));
    if (typeof json !== "object" || json === null || Array.isArray(json))
      throw unusable("it is not a JSON object");
    return { ...json };
  };
  const writeAll = async (all: Record<string, unknown>): Promise<void> => {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    await replaceFile(await resolveTarget(path, "save"), JSON.stringify(all, null, 2));
  };
  return {
    path,
    load: attempt(() => {
      const entry = readAll()[id];
      if (entry === undefined) return undefined;
      const parsed = z.safeParse(Stored, entry);
      if (!parsed.success) throw unusable("the stored sign-in is incomplete");
      return fromStored(parsed.data);
    }),
    save: (tokens) => attempt(() => writeAll({ ...readAll(), [id]: toStored(tokens) })),
    remove: attempt(async () => {
      const { [id]: found, ...others } = readAll();
      if (found !== undefined) await writeAll(others);
      return found !== undefined;
    }),
    lock: attempt(() => mkdirSync(folder, { recursive: true, mode: 0o700 })).pipe(
      Effect.andThen(
        acquireFlock({
          path: join(folder, "gateway_oauth.lock"),
          control: controlOf(path),
          maxWaitMs,
        }),
      ),
      Effect.mapError((error) =>
        error instanceof GatewayStoreUnusable ? error : unusable(error.message, error.hint),
      ),
    ),
  };
};

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
