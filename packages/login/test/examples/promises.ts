import { createAuthManager, isLoginError } from "@agent-auth/login/promises";

await using manager = createAuthManager({ environmentCredentials: true });
try {
  const credential = await manager.current(); // refreshed if it is about to expire
  if (credential === null) console.log("signed out");
  else console.log(`${credential._tag} from ${credential.source._tag}`);
} catch (error) {
  if (!isLoginError(error)) throw error;
  console.error(`${error.message} (${error.code}). ${error.hint}`);
  process.exitCode = 1;
}
