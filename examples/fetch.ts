import { createModelProvider, isModelProviderError } from "@agent-auth/model-provider/promises";

try {
  await using provider = await createModelProvider({ environmentCredentials: true });
  const response = await provider.fetch("/responses", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ model: "gpt-5.2-codex", input: "two and two?" }),
  });
  console.log(`${response.status} ${await response.text()}`);
} catch (error) {
  if (!isModelProviderError(error)) throw error;
  console.error(`${error.message} (${error.code}). ${error.hint}`);
  process.exitCode = 1;
}
