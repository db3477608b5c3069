import { createModelProvider } from "@agent-auth/model-provider/promises";

export const dynamic = "force-dynamic";

let provider;

export const GET = async () => {
  provider ??= createModelProvider({ environmentCredentials: true });
  const response = await (await provider).fetch("/models");
  return new Response(response.body, { status: response.status });
};
