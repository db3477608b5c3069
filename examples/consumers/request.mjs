// The program that the bundlers bundle: an authenticated request with the credential of the environment.
import { createModelProvider } from "@agent-auth/model-provider/promises";
import { createAuthManager } from "@agent-auth/login/promises";

const main = async () => {
  // Takes the locks of CODEX_HOME, which need the optional package koffi to exclude Codex.
  const manager = createAuthManager({ environmentCredentials: false });
  await manager.loginWithApiKey("sk-example");
  await manager.logout();
  await manager.close();
  const provider = await createModelProvider({ environmentCredentials: true });
  const response = await provider.fetch("/models");
  await response.text();
  await provider.close();
  console.log(response.status);
};

void main();
