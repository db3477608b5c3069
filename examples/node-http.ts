import { request } from "node:http"; // or node:https, got, axios, a generated client, …
import { once } from "node:events";
import { createModelProvider } from "@agent-auth/model-provider/promises";

await using provider = await createModelProvider({ environmentCredentials: true });

const send = async (headers: Record<string, string>, url: string) => {
  const sent = request(url, { headers });
  sent.end();
  const [response] = await once(sent, "response");
  response.resume();
  return Number(response.statusCode);
};

const signed = await provider.sign(); // ask again for every attempt: an assertion is valid for a short time
let status = await send(signed.toRecord(), `${signed.target.baseUrl}/models`);
if (status === 401) {
  const next = await provider.recover(signed); // null: there is no other credential
  if (next !== null) status = await send(next.toRecord(), `${next.target.baseUrl}/models`);
}
console.log(status);
