// One of many programs on several hosts. For each line on stdin it opens a manager over the shared store, asks for the
// credential as a program does that retries what may be retried, and prints what came of it as one line of JSON.
import { createHash } from "node:crypto";
import { tmpdir } from "node:os";
import { createInterface } from "node:readline";
import { setTimeout } from "node:timers/promises";
import { createAuthManager, isLoginError, revealSecret } from "@agent-auth/login/promises";
import * as Redacted from "effect/Redacted";
import { generateStoreKey, openSqlStore } from "../../src/promises/index.ts";
import type { Order, Outcome } from "./fleet.ts";

const run = async (order: Order): Promise<Outcome> => {
  const startedMs = performance.now();
  const retried: Array<string> = [];
  const outcome = (rest: Pick<Outcome, "accessToken" | "failure">): Outcome => ({
    round: order.round,
    retried,
    tookMs: performance.now() - startedMs,
    ...rest,
  });
  await using store = openSqlStore(order.url, {
    keys: { _tag: "Text", keys: Redacted.make(order.keys) },
    signIn: order.signIn,
    leaseMs: order.leaseMs,
    statementTimeoutMs: order.statementTimeoutMs,
  });
  await using manager = createAuthManager({
    storage: store.storage,
    environmentCredentials: false,
    variables: { CODEX_REFRESH_TOKEN_URL_OVERRIDE: order.tokenUrl },
    codexHome: order.codexHome,
    configOverrides: [`chatgpt_base_url="${order.chatgptBaseUrl}"`],
  });
  for (;;) {
    try {
      const credential = await manager.current();
      if (credential?._tag !== "Chatgpt") return outcome({ failure: "signed out" });
      const secret = revealSecret(credential.accessToken);
      return outcome({ accessToken: createHash("sha256").update(secret).digest("hex") });
    } catch (error) {
      if (!isLoginError(error)) throw error;
      const isInterrupted = error.code === "LOGIN_REFRESH_INTERRUPTED";
      const mayRetry = error.remedy === "retry" || (isInterrupted && order.waitsForInterrupted);
      if (!mayRetry || performance.now() - startedMs > order.withinMs)
        return outcome({ failure: `${error.code}: ${error.message}` });
      retried.push(error.code);
      await setTimeout(200 + Math.random() * 200);
      await manager.reload().catch(() => undefined);
    }
  }
};

/** Compiles what a round needs before it is timed: 64 programs that do so at once take a minute on two cores. */
const warmUp = async (): Promise<void> => {
  const keys = { _tag: "Text", keys: Redacted.make(generateStoreKey("k1")) } as const;
  await using store = openSqlStore("sqlite::memory:", { keys });
  const options = { environmentCredentials: false, variables: {}, codexHome: tmpdir() };
  await using manager = createAuthManager({ ...options, storage: store.storage });
  await manager.loginWithApiKey("sk-warm");
};

await warmUp();
process.stdout.write("ready\n");
for await (const line of createInterface({ input: process.stdin })) {
  const order: Order = JSON.parse(line);
  const outcome = await run(order).catch((error: unknown): Outcome => {
    const failure = error instanceof Error ? String(error.stack) : "unknown";
    return { round: order.round, retried: [], tookMs: 0, failure };
  });
  process.stdout.write(`${JSON.stringify(outcome)}\n`);
}
process.exit();
