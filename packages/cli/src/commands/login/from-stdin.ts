import { AuthManager } from "@agent-auth/login/manager";
import * as Effect from "effect/Effect";
import type { GlobalValues } from "../../argv/command-spec.ts";
import { exitCode, type ExitCode } from "../../errors/exit-code.ts";
import { managerLayer, openSession } from "../../session.ts";
import { readSecret, refuseTerminal, type SecretPrompt } from "../../terminal/read-secret.ts";
import { reportFailedSignIn } from "./report-failed-sign-in.ts";
import { checkBeforeSignIn } from "./preconditions.ts";

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

/** Reads one secret from stdin, has it checked and stored, and says so (docs/protocol.md §13). */
export const signIn = (source: StdinSource, globals: GlobalValues): Effect.Effect<ExitCode> => {
  const prefix = source === "apiKey" ? "Error logging in" : "Error logging in with access token";
  return signInOrFail(source, globals).pipe(
    Effect.catch((error) => Effect.sync(() => reportFailedSignIn(prefix, error))),
  );
};

const signInOrFail = Effect.fnUntraced(function* (source: StdinSource, globals: GlobalValues) {
  const session = yield* openSession(globals);
  const { notify } = session;
  yield* checkBeforeSignIn(source === "apiKey" ? "apiKey" : "accessToken", session);
  const prompt = prompts[source];
  yield* refuseTerminal(prompt);
  notify(`Reading ${prompt.noun} from stdin...`);
  const secret = yield* readSecret(prompt);
  yield* AuthManager.use((manager) =>
    source === "apiKey"
      ? Effect.asVoid(manager.loginWithApiKey(secret))
      : Effect.asVoid(manager.saveAccessToken(secret)),
  ).pipe(Effect.provide(managerLayer(session, "signInOrOut")));
  for (const line of successLines(source)) notify(line);
  return exitCode.done;
});

const successLines = (source: StdinSource): readonly string[] =>
  source === "apiKey"
    ? ["API key saved. Authentication is checked when you send a request."]
    : ["Successfully logged in"];
