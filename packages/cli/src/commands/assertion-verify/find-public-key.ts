import { importAgentPublicKey } from "@agent-auth/agent-identity/assertion/verifier";
import { importAgentKey } from "@agent-auth/agent-identity/keys";
import { AuthManager } from "@agent-auth/login/manager";
import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import type { GlobalValues } from "../../argv/command-spec.ts";
import { CliError } from "../../errors/cli-error.ts";
import { readInputFile } from "../../input-file.ts";
import { managerLayer, openSession } from "../../session.ts";

/** The key that was given, else that of the signed-in agent. */
export const findPublicKey = Effect.fnUntraced(function* (options: {
  readonly publicKey?: string;
  readonly globals: GlobalValues;
}) {
  if (options.publicKey === undefined) return yield* ownKey(options.globals);
  const text = options.publicKey.startsWith("ssh-ed25519 ")
    ? options.publicKey
    : yield* readInputFile(options.publicKey, hint);
  return yield* importAgentPublicKey(text.trim());
});

const ownKey = Effect.fnUntraced(function* (globals: GlobalValues) {
  const session = yield* openSession(globals);
  const current = yield* AuthManager.use((manager) => manager.current).pipe(
    Effect.provide(managerLayer(session, "requests")),
  );
  const credential = Option.getOrUndefined(current);
  if (credential?._tag !== "AgentIdentity") return yield* noKey;
  const key = yield* importAgentKey(credential.record.privateKey);
  return yield* importAgentPublicKey(key.sshPublicKey);
});

const hint = "Name a file that holds `ssh-ed25519 …`, or give the key itself.";

const noKey = new CliError({
  code: "CLI_NO_USABLE_KEY",
  message: "no agent is signed in here whose key could be used",
  hint: "Name one with --public-key.",
});
