import { fork } from "node:child_process";
import { once } from "node:events";
import { makeAssertionSigner } from "@agent-auth/agent-identity/assertion";
import { exportPkcs8, generateAgentKey } from "@agent-auth/agent-identity/keys";
import type { Credential } from "@agent-auth/login/credential";
import * as Effect from "effect/Effect";
import * as Result from "effect/Result";
import { resolveProvider } from "../src/provider/index.ts";
import { makeRequestSigner } from "../src/signing/request-signer.ts";

/** The server of `server.ts`, in a process that ends with `stop`. */
export const startServer = async () => {
  const child = fork(new URL("./server.ts", import.meta.url));
  const [port]: Array<unknown> = await once(child, "message");
  return {
    origin: `http://127.0.0.1:${String(port)}`,
    stop: () => {
      child.disconnect();
    },
  };
};

/** A signer for an agent with a real key, whose provider is at this origin. */
export const agentSigner = (origin: string) => {
  const key = Effect.runSync(generateAgentKey);
  const agentRuntimeId = "agent-bench";
  const credential: Credential = {
    _tag: "AgentIdentity",
    form: "record",
    record: {
      agentRuntimeId,
      privateKey: exportPkcs8(key),
      accountId: "workspace-bench",
      planType: "enterprise",
      isFedrampAccount: false,
    },
    account: { accountId: "workspace-bench", isFedrampAccount: false },
    signer: makeAssertionSigner({ key, agentRuntimeId, taskId: "task-bench" }),
    source: { _tag: "Ephemeral" },
  };
  const provider = Result.getOrThrow(
    resolveProvider({
      config: {
        chatgptBaseUrl: "https://chatgpt.com/backend-api",
        openaiBaseUrl: `${origin}/v1`,
        modelProviders: new Map(),
      },
      environment: { variable: () => undefined },
    }),
  );
  return makeRequestSigner({
    provider,
    manager: {
      snapshot: () => credential,
      current: () => Promise.resolve(credential),
      recoverUnauthorized: () => Promise.resolve(null),
    },
  });
};
