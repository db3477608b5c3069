// One of many programs that start at once with an expired access token. Its environment names CODEX_HOME and the
// authority; it waits for a line on stdin, asks for its credential once, and prints what came of it as one line of JSON.
import { createHash } from "node:crypto";
import { once } from "node:events";
import { createAuthManager, revealSecret } from "@agent-auth/login/promises";

process.stdout.write("ready\n");
await once(process.stdin, "data");

const report = async (): Promise<object> => {
  const manager = createAuthManager({ environmentCredentials: true });
  try {
    const credential = await manager.current();
    if (credential?._tag !== "Chatgpt") return { failed: credential?._tag ?? "signed out" };
    const token = revealSecret(credential.accessToken);
    return { accessTokenSha256: createHash("sha256").update(token).digest("hex") };
  } finally {
    await manager.close(); // not `await using`, which Node 22 does not know
  }
};

const outcome = await report().catch((error: unknown) => ({
  failed: error instanceof Error ? `${error.name}: ${error.message}` : "unknown",
}));
process.stdout.write(`${JSON.stringify(outcome)}\n`);
process.exit();
