import { createModelProvider } from "@agent-auth/model-provider/promises";

test("an authenticated request", async () => {
  const provider = await createModelProvider({ environmentCredentials: true });
  const response = await provider.fetch("/models");
  await response.text();
  await provider.close();
  process.stdout.write(`${response.status}\n`);
});
