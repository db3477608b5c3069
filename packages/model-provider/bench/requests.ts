// Requests through our faces against the same requests through bare undici, with headers of the same length written
// by hand: the price of an identity. 32 requests at a time, over one Agent for both.
import type { makeBench } from "@agent-auth/tools/bench";
import { Agent, fetch } from "undici";
import { createAuthenticatedFetch } from "../src/authenticated-fetch.ts";
import { authInterceptor } from "../src/undici-interceptor.ts";
import { agentSigner, startServer } from "./setup.ts";

/** Requests per second of at least 0.95 of the reference are times of at most 1.05 of its, rounded down. */
const limit = 1.05;
const concurrency = 32;
const body = JSON.stringify({ model: "gpt-5.2-codex", input: "x".repeat(1000), stream: false });
const contentType = { "content-type": "application/json" };

export const benchRequests = async (bench: ReturnType<typeof makeBench>): Promise<void> => {
  const server = await startServer();
  const agent = new Agent({ connections: concurrency });
  const signer = agentSigner(server.origin);
  const byHand = { ...contentType, ...signer.signNow()?.toRecord() };
  const url = `${server.origin}/v1/responses`;
  const authenticated = createAuthenticatedFetch({ signer, dispatcher: agent });
  const composed = agent.compose(authInterceptor({ signer }));
  const init = { method: "POST", body } as const;
  const target = { origin: server.origin, path: "/v1/responses", ...init };
  const batch = (one: () => Promise<unknown>) => () =>
    Promise.all(Array.from({ length: concurrency }, one));

  const compare = (
    name: string,
    reference: () => Promise<unknown>,
    subject: () => Promise<unknown>,
  ) =>
    bench.compare(name, {
      reference: batch(reference),
      subject: batch(subject),
      limit,
      calls: 4,
      rounds: 150,
    });

  await compare(
    "createAuthenticatedFetch ÷ undici.fetch",
    async () => (await fetch(url, { ...init, headers: byHand, dispatcher: agent })).text(),
    async () => (await authenticated(url, { ...init, headers: contentType })).text(),
  );
  await compare(
    "authInterceptor ÷ agent.request",
    async () => (await agent.request({ ...target, headers: byHand })).body.text(),
    async () => (await composed.request({ ...target, headers: contentType })).body.text(),
  );
  await agent.close();
  server.stop();
};
