import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  startTestAuthority,
  type TestAuthority,
  type TestAuthorityOptions,
} from "@agent-auth/test-authority";
import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import * as Redacted from "effect/Redacted";
import { onTestFinished } from "vitest";
import { AuthManager, layer, type AuthManagerOptions } from "../../src/manager/index.ts";
import { loadConfig } from "../../src/config/index.ts";
import type { Credential } from "../../src/credential/index.ts";
import { parseEnvironment, type Variables } from "../../src/config/environment.ts";

export type Manager = AuthManager["Service"];

/** A temporary CODEX_HOME, gone at the end of the test. */
export interface Home {
  readonly path: string;
  readonly authJson: string;
  readonly write: (document: unknown) => Promise<void>;
  readonly read: () => Promise<StoredJson>;
  readonly isSignedIn: () => boolean;
}

export interface StoredJson {
  readonly auth_mode?: string;
  readonly OPENAI_API_KEY?: string | null;
  readonly tokens?: {
    readonly id_token: string;
    readonly access_token: string;
    readonly refresh_token: string;
    readonly account_id?: string;
    readonly login_owner_id?: string;
    readonly oauth_provenance?: { readonly issuer: string; readonly client_id: string };
  };
  readonly last_refresh?: string;
  readonly agent_identity?: unknown;
  readonly personal_access_token?: string;
}

export const openHome = async (): Promise<Home> => {
  const path = await mkdtemp(join(tmpdir(), "login-manager-"));
  onTestFinished(() => rm(path, { recursive: true, force: true }));
  const authJson = join(path, "auth.json");
  return {
    path,
    authJson,
    write: (document) =>
      writeFile(authJson, typeof document === "string" ? document : JSON.stringify(document), {
        mode: 0o600,
      }),
    read: async () => {
      const stored: StoredJson = JSON.parse(await readFile(authJson, "utf8"));
      return stored;
    },
    isSignedIn: () => existsSync(authJson),
  };
};

/** An authority of the test's own, closed at its end. */
export const openAuthority = async (options?: TestAuthorityOptions): Promise<TestAuthority> => {
  const authority = await startTestAuthority(options);
  onTestFinished(() => authority.close());
  return authority;
};

export interface ManagerSetup {
  readonly home: Home;
  readonly authority?: TestAuthority;
  readonly env?: Variables;
  /** `-c` overrides beside `chatgpt_base_url`. */
  readonly config?: ReadonlyArray<string>;
  /** In place of `/etc/codex`. */
  readonly systemFolder?: string;
  readonly options?: Partial<AuthManagerOptions>;
}

/** The options that a command line would pass: all URLs are the authority's. */
export const managerOptions = async (setup: ManagerSetup): Promise<AuthManagerOptions> => {
  const { authority } = setup;
  const environment = parseEnvironment(
    {
      CODEX_HOME: setup.home.path,
      ...(authority === undefined
        ? {}
        : {
            CODEX_REFRESH_TOKEN_URL_OVERRIDE: `${authority.url}/oauth/token`,
            CODEX_AUTHAPI_BASE_URL: authority.accountsBaseUrl,
            CODEX_AGENT_IDENTITY_AUTHAPI_BASE_URL: authority.accountsBaseUrl,
          }),
      ...setup.env,
    },
    { homeDir: setup.home.path },
  );
  const base = authority === undefined ? [] : [`chatgpt_base_url=${authority.chatgptBaseUrl}`];
  const config = await Effect.runPromise(
    loadConfig({
      codexHome: environment.codexHome,
      ...(setup.systemFolder !== undefined && { systemFolder: setup.systemFolder }),
      overrides: [...base, ...(setup.config ?? [])],
    }),
  );
  // Most tests use tokens that no backend knows.
  const workspaceChecks = false;
  return { environment, config, environmentCredentials: true, workspaceChecks, ...setup.options };
};

/** Runs an effect with its own manager, as a program would. */
export const withManager = async <A, E>(
  setup: ManagerSetup,
  use: (manager: Manager) => Effect.Effect<A, E>,
): Promise<A> => {
  const options = await managerOptions(setup);
  return Effect.runPromise(AuthManager.use(use).pipe(Effect.provide(layer(options))));
};

export const secret = (text: string) => Redacted.make(text);

/** The document that a sign-in at the authority leaves behind. */
export const chatgptDocument = async (
  authority: TestAuthority,
  options?: Parameters<TestAuthority["mintChatgptTokens"]>[0],
) => {
  const tokens = await authority.mintChatgptTokens(options);
  return {
    auth_mode: "chatgpt",
    OPENAI_API_KEY: null,
    tokens: {
      id_token: tokens.idToken,
      access_token: tokens.accessToken,
      refresh_token: tokens.refreshToken,
      account_id: tokens.accountId,
    },
    last_refresh: new Date().toISOString(),
  };
};

/** A home with a fresh sign-in, and its own authority. */
export const openSignIn = async (minted?: Parameters<TestAuthority["mintChatgptTokens"]>[0]) => {
  const home = await openHome();
  const authority = await openAuthority();
  const document = await chatgptDocument(authority, minted);
  await home.write(document);
  return { home, authority, document };
};

export const accessTokenOf = (credential: Credential | null): string | undefined =>
  credential?._tag === "Chatgpt" ? Redacted.value(credential.accessToken) : undefined;

/** Runs an effect by a clock that is ahead by so many milliseconds. */
export const later = <A, E>(passedMs: number, effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
  Effect.clockWith((clock) => {
    const ahead: Clock.Clock = Object.assign(Object.create(clock), {
      currentTimeMillisUnsafe: () => clock.currentTimeMillisUnsafe() + passedMs,
      currentTimeMillis: Effect.map(clock.currentTimeMillis, (nowMs) => nowMs + passedMs),
    });
    return Effect.provideService(effect, Clock.Clock, ahead);
  });
