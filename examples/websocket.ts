import { createModelProvider } from "@agent-auth/model-provider/promises";

await using provider = await createModelProvider({ environmentCredentials: true });
const socket = await provider.webSocket("/responses"); // open, or rejected with a typed error

socket.addEventListener("message", ({ data }) => {
  const event = JSON.parse(data);
  if (event.type === "response.output_text.delta") process.stdout.write(event.delta);
  if (event.type === "response.completed") socket.close();
});
socket.send(
  JSON.stringify({ type: "response.create", model: "gpt-5.2-codex", input: "two and two?" }),
);
await new Promise((resolve) => socket.addEventListener("close", resolve));
