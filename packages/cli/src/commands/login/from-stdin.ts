import { AuthManager } from "@agent-auth/login/auth-manager";
import type { Config } from "@agent-auth/login/config";
import { EnvironmentCredentialRules } from "@agent-auth/login/errors";
import type { LoginEnvironment } from "@agent-auth/login/environment";
import { checkLoginMethod } from "@agent-auth/login/restrictions";
import * as Effect from "effect/Effect";
import type { GlobalValues } from "../../argv/command-spec.ts";
import { exitCode, type ExitCode } from "../../exit-code.ts";
import { reportError } from "../../report-error.ts";
import { managerLayer, openSession } from "../../session.ts";
import { readSecret, refuseTerminal, type SecretPrompt } from "../../terminal/read-secret.ts";

type StdinSource = "apiKey" | "agentIdentity" | "accessToken";

const prompts: Readonly<Record<StdinSource, SecretPrompt>> = {
  apiKey: {
    noun: "API key",
    flag: "--with-api-key",
    example: "printenv OPENAI_API_KEY | agent-auth login --with-api-key",
  },
  agentIdentity: {
    noun: "access token",
    flag: "--with-agent-identity",
    example: "agent-auth login --with-agent-identity < agent.jwt",
  },
  accessToken: {
    noun: "access token",
    flag: "--with-access-token",
    example: "agent-auth login --with-access-token < token.txt",
  },
};

/** Reads one secret from stdin, has it checked and stored, and says so (PROTOCOL §13). */
export const signIn = (source: StdinSource, globals: GlobalValues): Effect.Effect<ExitCode> => {
  const prefix =
    source === "apiKey" ? "Error logging in" : "Error logging in with access token";
  return signInOrFail(source, globals).pipe(
    Effect.catch((error) => Effect.sync(() => reportError(prefix, error))),
  );
};

const signInOrFail = Effect.fnUntraced(function* (source: StdinSource, globals: GlobalValues) {
  const session = yield* openSession(globals);
  const { config, environment, say } = session;
  yield* refuseBeforeReading(source, config, environment);
  const prompt = prompts[source];
  yield* refuseTerminal(prompt);
  say(`Reading ${prompt.noun} from stdin...`);
  const secret = yield* readSecret(prompt);
  yield* AuthManager.use((manager) =>
    source === "apiKey"
      ? Effect.asVoid(manager.loginWithApiKey(secret))
      : Effect.asVoid(manager.saveAccessToken(secret)),
  ).pipe(Effect.provide(managerLayer(session, "signInOrOut")));
  for (const line of successLines(source)) say(line);
  return exitCode.done;
});

/** What can be refused without the secret is refused before a person has typed or piped it. */
const refuseBeforeReading = Effect.fnUntraced(function* (
  source: StdinSource,
  config: Config,
  environment: LoginEnvironment,
) {
  yield* checkLoginMethod(config, source === "apiKey" ? "apiKey" : "accessToken");
  const variable = rulingVariable(environment);
  if (variable !== undefined) return yield* new EnvironmentCredentialRules({ variable });
});

const rulingVariable = (environment: LoginEnvironment): string | undefined => {
  if (environment.apiKey !== undefined) return "CODEX_API_KEY";
  if (environment.agentIdentity !== undefined) return "CODEX_AGENT_IDENTITY";
  return environment.accessToken === undefined ? undefined : "CODEX_ACCESS_TOKEN";
};

const successLines = (source: StdinSource): readonly string[] =>
  source === "apiKey"
    ? ["API key saved. Authentication is checked when you send a request."]
    : ["Successfully logged in"];
