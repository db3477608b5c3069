// Waits for the end of stdin. Then prints when the tokens of CODEX_HOME expire, after a refresh if one is due.
import { once } from "node:events";
import { createAuthManager } from "@agent-auth/login/promises";

await using manager = createAuthManager({ environmentCredentials: false, loadAtStart: false });
console.log("ready");
await once(process.stdin.resume(), "end");
const credential = await manager.current();
if (credential?._tag !== "Chatgpt") throw new Error("no ChatGPT sign-in");
console.log(credential.expiresAtMs);
