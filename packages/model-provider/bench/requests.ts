// Requests per second through our clients ÷ requests per second of bare undici, which sends the same requests with the
// same headers written by hand: the cost of authentication. 32 callers over one Agent, each of which sends its next
// request when it has read its answer. Short rounds of the two alternate, and the best quarter of each counts: noise
// only ever takes requests away, and with long rounds it decides the ratio.
import type { makeBench } from "@agent-auth/tools/bench";
import { Agent, fetch } from "undici";
import { createAuthenticatedFetch } from "../src/fetch/index.ts";
import { authInterceptor } from "../src/dispatcher/index.ts";
import { agentSigner, startServer } from "./setup.ts";

const limit = 0.95;
const callers = 32;
const requestsPerRound = 200;
const rounds = 320;
const warmUps = 10;
const body = JSON.stringify({ model: "gpt-5.2-codex", input: "x".repeat(1000), stream: false });
const contentType = { "content-type": "application/json" };

type Request = () => Promise<unknown>;

export const benchRequests = async (bench: ReturnType<typeof makeBench>): Promise<void> => {
  const server = await startServer();
  const agent = new Agent({ connections: callers });
  const signer = agentSigner(server.origin);
  const byHand = { ...contentType, ...signer.signNow()?.toRecord() };
  const url = `${server.origin}/v1/responses`;
  const authenticated = createAuthenticatedFetch({ signer, dispatcher: agent });
  const composed = agent.compose(authInterceptor({ signer }));
  const init = { method: "POST", body } as const;
  const target = { origin: server.origin, path: "/v1/responses", ...init };

  const compare = async (name: string, bare: Request, ours: Request): Promise<void> => {
    const [base, own] = await rates(bare, ours);
    const ratio = own / base;
    const figure = `${ratio.toFixed(3)} (${own.toFixed(0)} against ${base.toFixed(0)})`;
    bench.record(name, figure, `≥ ${limit}`, ratio >= limit);
  };
  await compare(
    "requests/s of createAuthenticatedFetch ÷ undici.fetch",
    async () => (await fetch(url, { ...init, headers: byHand, dispatcher: agent })).text(),
    async () => (await authenticated(url, { ...init, headers: contentType })).text(),
  );
  await compare(
    "requests/s of authInterceptor ÷ agent.request",
    async () => (await agent.request({ ...target, headers: byHand })).body.text(),
    async () => (await composed.request({ ...target, headers: contentType })).body.text(),
  );
  await agent.close();
  server.stop();
};

/** Requests per second of either, in its best rounds. */
const rates = async (bare: Request, ours: Request): Promise<[bare: number, ours: number]> => {
  const [base, own]: [Array<number>, Array<number>] = [[], []];
  for (let round = -warmUps; round < rounds; round++) {
    // Who goes first changes, so that neither always meets the other's garbage.
    if (round % 2 === 0) base.push(await perSecond(bare));
    own.push(await perSecond(ours));
    if (round % 2 !== 0) base.push(await perSecond(bare));
  }
  return [best(base.slice(warmUps)), best(own.slice(warmUps))];
};

/** The mean of the fastest quarter. */
const best = (seen: ReadonlyArray<number>): number => {
  const fastest = seen.toSorted((a, b) => b - a).slice(0, rounds >> 2);
  return fastest.reduce((sum, rate) => sum + rate, 0) / fastest.length;
};

const perSecond = async (one: Request): Promise<number> => {
  let left = requestsPerRound;
  const caller = async () => {
    while (left-- > 0) await one();
  };
  const start = performance.now();
  await Promise.all(Array.from({ length: callers }, caller));
  return (requestsPerRound / (performance.now() - start)) * 1000;
};
