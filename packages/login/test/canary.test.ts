import { inspect } from "node:util";
import type { TestAuthority } from "@agent-auth/test-authority";
import * as Cause from "effect/Cause";
import * as Effect from "effect/Effect";
import * as Exit from "effect/Exit";
import * as Logger from "effect/Logger";
import * as Option from "effect/Option";
import * as Redacted from "effect/Redacted";
import * as Tracer from "effect/Tracer";
import { describe, expect, it } from "vitest";
import { AuthManager, layer, type AuthManagerOptions } from "../src/manager/index.ts";
import { CredentialStore } from "../src/storage/index.ts";
import { layer as storeLayer } from "../src/storage/configured.ts";
import { HomeLock } from "../src/storage/lock/index.ts";
import { createAuthManager } from "../src/promises/index.ts";
import {
  chatgptDocument,
  managerOptions,
  openAuthority,
  openHome,
  secret,
  type Manager,
  type ManagerSetup,
} from "./manager/fixture.ts";

/** Every way in which a value may end up in a log, a report or a debugger. */
const printed = (value: unknown): string => {
  const texts = [inspect(value, { depth: null, showHidden: true, maxStringLength: null })];
  try {
    texts.push(JSON.stringify(value) ?? "", String(value));
  } catch {
    // Some values have no JSON; then it does not hold a secret either.
  }
  if (value instanceof Error) texts.push(value.stack ?? "", value.message, printed(value.cause));
  return texts.join("\n");
};

/** Collects what a program prints, logs and traces while it uses a manager in every way. */
class Observatory {
  readonly #seen: Array<string> = [];
  readonly kinds = new Set<string>();
  logLines = 0;
  spans = 0;

  see(value: unknown): void {
    this.#seen.push(printed(value));
  }

  observe<A, E>(use: Effect.Effect<A, E>): Effect.Effect<Exit.Exit<A, E>> {
    const logger = Logger.make((entry) => {
      this.logLines += 1;
      this.see([entry.message, Cause.pretty(entry.cause)]);
    });
    const tracer = Tracer.make({
      span: (options) => {
        this.spans += 1;
        const span = new Tracer.NativeSpan(options);
        const end = span.end.bind(span);
        span.end = (time, exit) => {
          end(time, exit);
          this.see([span.name, [...span.attributes], span.events, exit]);
        };
        return span;
      },
    });
    return Effect.exit(use).pipe(
      Effect.tap((exit) =>
        Effect.sync(() => {
          this.kinds.add(describeExit(exit));
          this.see(exit);
          if (Exit.isFailure(exit)) {
            this.see(Cause.pretty(exit.cause));
            for (const reason of exit.cause.reasons) this.see(reason);
            this.see(Cause.squash(exit.cause));
          } else {
            this.see(exit.value);
          }
        }),
      ),
      Effect.provide(Logger.layer([logger])),
      Effect.withTracer(tracer),
    );
  }

  text(): string {
    return this.#seen.join("\n");
  }
}

const describeExit = (exit: Exit.Exit<unknown, unknown>): string => {
  if (Exit.isFailure(exit)) {
    const error = Cause.squash(exit.cause);
    return typeof error === "object" && error !== null && "code" in error
      ? String(error.code)
      : "?";
  }
  const value = Option.isOption(exit.value) ? Option.getOrNull(exit.value) : exit.value;
  return typeof value === "object" && value !== null && "_tag" in value
    ? String(value._tag)
    : "done";
};

const everyVerb = (manager: Manager) => [
  manager.current,
  manager.reload,
  manager.refresh("forced"),
  Effect.flatMap(
    manager.current,
    Option.match({ onNone: () => Effect.void, onSome: manager.recoverUnauthorized }),
  ),
  Effect.sync(() => manager.snapshot()),
  Effect.sync(() => manager),
];

const useAll = async (
  observatory: Observatory,
  setup: ManagerSetup,
  more: ReadonlyArray<(manager: Manager) => Effect.Effect<unknown, unknown>> = [],
) => {
  const options = await managerOptions(setup);
  observatory.see(options);
  const use = (manager: Manager): Effect.Effect<void> =>
    Effect.forEach(
      [...everyVerb(manager), ...more.map((verb) => verb(manager))],
      (effect) => observatory.observe(effect),
      { discard: true },
    );
  await Effect.runPromise(
    observatory.observe(AuthManager.use(use).pipe(Effect.provide(layer(options)))),
  );
  await seeServices(observatory, options);
};

const seeServices = (observatory: Observatory, options: AuthManagerOptions) =>
  Effect.runPromise(
    Effect.gen(function* () {
      const store = yield* CredentialStore;
      observatory.see([store, yield* HomeLock, options.environment, options.config]);
      yield* observatory.observe(store.load);
    }).pipe(
      Effect.provide(
        storeLayer({
          mode: options.config.credentialsStore,
          codexHome: options.environment.codexHome,
        }),
      ),
    ),
  );

const refreshAnswers = (authority: TestAuthority): ReadonlyArray<() => void> => [
  () => {},
  () =>
    authority.behave("refresh", { status: 401, body: { error: { code: "refresh_token_reused" } } }),
  () => authority.behave("refresh", { status: 500 }, { times: 3 }),
  () => authority.behave("refresh", "malformedJson"),
  () => authority.behave("refresh", "reset", { times: 3 }),
  () => authority.behave("refresh", { status: 200, body: {} }),
];

describe("nothing that is printed, logged or traced holds a secret", () => {
  it("for any credential, verb, outcome and service", async () => {
    const observatory = new Observatory();
    const authority = await openAuthority();
    const canaries: Array<string> = [];
    const plant = (text: string): string => {
      canaries.push(text);
      return text;
    };
    const plantJwt = (jwt: string): string => {
      canaries.push(...jwt.split(".").slice(1));
      return jwt;
    };

    const apiKeyHome = await openHome();
    await apiKeyHome.write({ OPENAI_API_KEY: plant("sk-canary-stored-key") });
    await useAll(observatory, { home: apiKeyHome, authority });
    await useAll(observatory, {
      home: apiKeyHome,
      authority,
      env: { CODEX_API_KEY: plant("sk-canary-environment-key") },
      config: ["forced_login_method=chatgpt"],
    });

    for (const steer of refreshAnswers(authority)) {
      const home = await openHome();
      const document = await chatgptDocument(authority, { expiresInSeconds: 100 });
      plantJwt(document.tokens.access_token);
      plantJwt(document.tokens.id_token);
      plant(document.tokens.refresh_token);
      await home.write(document);
      steer();
      await useAll(observatory, { home, authority }, [(manager) => manager.logout]);
      authority.resetBehaviour();
    }

    const agent = await authority.mintAgentIdentity();
    plantJwt(agent.jwt);
    plant(agent.privateKey);
    const agentHome = await openHome();
    await useAll(observatory, { home: agentHome, authority }, [
      (manager) => manager.loginWithAccessToken(secret(agent.jwt)),
      (manager) => manager.loginWithAccessToken(secret(agent.jwt.slice(0, -40))),
      (manager) => manager.loginWithAccessToken(secret(plant("canary-no-token"))),
      (manager) => manager.loginWithApiKey(secret(plant("canary key with blanks"))),
      (manager) =>
        manager.loginWithChatgptTokens({
          idToken: secret(plant("canary-id-token")),
          accessToken: secret(plant("canary-access-token")),
          refreshToken: secret(plant("canary-refresh-token")),
        }),
    ]);
    await useAll(observatory, { home: agentHome, authority });
    const spoiled = [
      await authority.mintAgentIdentityJwt({ signature: "unknownKey" }),
      await authority.mintAgentIdentityJwt({ expiresInSeconds: -600 }),
      await authority.mintAgentIdentityJwt({ issuer: "https://elsewhere.example" }),
      await authority.mintAgentIdentityJwt({
        claims: { agent_private_key: plant("canary-no-key") },
      }),
    ];
    for (const jwt of spoiled) {
      const env = { CODEX_AGENT_IDENTITY: plantJwt(jwt) };
      await useAll(observatory, { home: await openHome(), authority, env });
    }
    authority.behave("registerTask", { status: 403, body: { message: "not you" } });
    await useAll(observatory, { home: agentHome, authority });
    authority.resetBehaviour();

    const patHome = await openHome();
    await patHome.write({ personal_access_token: plant(authority.mintPersonalAccessToken()) });
    await useAll(observatory, { home: patHome, authority });
    authority.behave("whoami", { status: 401 });
    await useAll(observatory, { home: patHome, authority });

    const brokenHome = await openHome();
    await brokenHome.write(`{"OPENAI_API_KEY": ["${plant("sk-canary-of-the-wrong-type")}"]}`);
    await useAll(observatory, { home: brokenHome, authority });

    await useAll(observatory, {
      home: await openHome(),
      authority,
      options: {
        externalProvider: {
          name: "the editor",
          tokens: ({ reason }) =>
            reason === "initial"
              ? Effect.succeed({
                  accessToken: Redacted.make(plant("canary-external-token")),
                  accountId: "acct-1",
                })
              : Effect.fail(new Error("closed")),
        },
      },
    });

    await using promises = createAuthManager({
      environmentCredentials: true,
      variables: { CODEX_API_KEY: plant("sk-canary-promises"), CODEX_HOME: apiKeyHome.path },
    });
    observatory.see([promises, await promises.current(), promises.snapshot()]);

    const text = observatory.text();
    // The sweep saw something: every kind of credential, and the errors that were provoked.
    expect([...observatory.kinds]).toEqual(
      expect.arrayContaining([
        "ApiKey",
        "Chatgpt",
        "ExternalChatgpt",
        "AgentIdentity",
        "PersonalAccessToken",
        "LOGIN_CREDENTIAL_FORBIDDEN",
        "LOGIN_REFRESH_REJECTED",
        "LOGIN_REFRESH_FAILED",
        "LOGIN_REFRESH_UNSUPPORTED",
        "LOGIN_INPUT_INVALID",
        "LOGIN_AUTH_JSON_INVALID",
        "LOGIN_PERSONAL_ACCESS_TOKEN_REJECTED",
        "LOGIN_EXTERNAL_PROVIDER_FAILED",
        "AGENT_IDENTITY_JWKS_KEY_NOT_FOUND",
        "AGENT_IDENTITY_JWT_EXPIRED",
        "AGENT_IDENTITY_JWT_ISSUER_MISMATCH",
        "AGENT_IDENTITY_TASK_REGISTRATION_REJECTED",
      ]),
    );
    expect(observatory.logLines).toBeGreaterThan(0);
    expect(observatory.spans).toBeGreaterThan(20);
    expect(text).toContain("<redacted");
    expect(canaries.length).toBeGreaterThan(40);
    expect(canaries.filter((canary) => text.includes(canary))).toEqual([]);
  }, 60_000);

  it("would find one that is printed", () => {
    const observatory = new Observatory();
    observatory.see({ deep: { inside: new Error("sk-canary-leaked") } });
    expect(observatory.text()).toContain("sk-canary-leaked");
  });
});
