import { createModelProvider, type ModelProviderClient } from "@agent-auth/model-provider/promises";

const open = (): Promise<ModelProviderClient> =>
  createModelProvider({ environmentCredentials: true });

const main = async (): Promise<void> => {
  const provider = await open();
  const response = await provider.fetch("/models");
  await response.text();
  await provider.close();
  console.log(response.status);
};

void main();
