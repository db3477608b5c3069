import { createModelProvider } from "@agent-auth/model-provider/promises";
import OpenAI from "openai";

await using provider = await createModelProvider({ environmentCredentials: true });
const openai = new OpenAI({
  apiKey: "unused", // required by the SDK; every request gets the credential instead
  baseURL: await provider.baseUrl(),
  fetch: provider.fetch,
});

const stream = await openai.responses.create({
  model: "gpt-5.2-codex",
  input: "two and two?",
  stream: true,
});
for await (const event of stream)
  if (event.type === "response.output_text.delta") process.stdout.write(event.delta);
