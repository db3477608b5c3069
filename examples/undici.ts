import { createModelProvider } from "@agent-auth/model-provider/promises";
import { authInterceptor } from "@agent-auth/model-provider/dispatcher";
import { Agent } from "undici";

await using provider = await createModelProvider({ environmentCredentials: true });
const agent = new Agent().compose(authInterceptor({ signer: provider.signer }));

const { origin, pathname } = new URL(`${await provider.baseUrl()}/models`);
const { statusCode, body } = await agent.request({ origin, path: pathname, method: "GET" });
console.log(statusCode, await body.json());
await agent.close();
