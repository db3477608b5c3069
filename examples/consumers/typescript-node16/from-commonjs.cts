// With node16, TypeScript does not know that Node can require an ES module: import() works, and types need the attribute.
import type { ModelProviderClient } from "@agent-auth/model-provider/promises" with {
  "resolution-mode": "import",
};

const open = async (): Promise<ModelProviderClient> => {
  const { createModelProvider } = await import("@agent-auth/model-provider/promises");
  return createModelProvider({ environmentCredentials: true });
};

const main = async (): Promise<void> => {
  const provider = await open();
  const response = await provider.fetch("/models");
  await response.text();
  await provider.close();
  console.log(response.status);
};

void main();
