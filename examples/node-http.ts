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

const signed = await provider.sign(); // fresh for every attempt: an assertion is good for its moment only
let status = await send(signed.toRecord(), `${signed.target.baseUrl}/models`);
if (status === 401) {
  const next = await provider.recover(signed); // null: nothing more can be done
  if (next !== null) status = await send(next.toRecord(), `${next.target.baseUrl}/models`);
}
console.log(status);
