import { createModelProvider } from "@agent-auth/model-provider/promises";
import { createOpenAI } from "@ai-sdk/openai";
import { streamText } from "ai";

await using provider = await createModelProvider({ environmentCredentials: true });
const openai = createOpenAI({
  apiKey: "unused",
  baseURL: await provider.baseUrl(),
  fetch: provider.fetch,
});

const { textStream } = streamText({
  model: openai.responses("gpt-5.2-codex"),
  prompt: "two and two?",
});
for await (const text of textStream) process.stdout.write(text);
