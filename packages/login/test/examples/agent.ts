import { text } from "node:stream/consumers";
import { createAuthManager, isLoginError } from "@agent-auth/login/promises";

await using manager = createAuthManager({ environmentCredentials: true });
try {
  const jwt = await text(process.stdin);
  const { account } = await manager.loginWithAccessToken(jwt); // verified, then stored
  console.log(`signed in as ${account.email ?? account.accountId}`);
} catch (error) {
  if (!isLoginError(error)) throw error;
  console.error(`${error.message} (${error.code}). ${error.hint}`);
  process.exitCode = 1;
}
