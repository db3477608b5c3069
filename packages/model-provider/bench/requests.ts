// Requests per second through our faces ÷ requests per second of bare undici, which sends the same requests with the
// same headers written by hand: the price of an identity. 32 callers over one Agent, each of which sends its next
// request when it has read its answer. Neighbouring rounds make a pair, since the machine's speed drifts; the middle
// pair's ratio counts.
import type { makeBench } from "@agent-auth/tools/bench";
import { Agent, fetch } from "undici";
import { createAuthenticatedFetch } from "../src/authenticated-fetch.ts";
import { authInterceptor } from "../src/undici-interceptor.ts";
import { agentSigner, startServer } from "./setup.ts";

const limit = 0.95;
const callers = 32;
const requestsPerRound = 1_600;
const pairs = 41;
const warmUps = 5;
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
    const pair = await middlePair(bare, ours);
    const figure = `${ratio(pair).toFixed(3)} (${pair.ours.toFixed(0)} against ${pair.bare.toFixed(0)})`;
    bench.record(name, figure, `≥ ${limit}`, ratio(pair) >= limit);
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

interface Pair {
  readonly bare: number;
  readonly ours: number;
}

const ratio = ({ bare, ours }: Pair): number => ours / bare;

const middlePair = async (bare: Request, ours: Request): Promise<Pair> => {
  const seen: Array<Pair> = [];
  for (let pair = -warmUps; pair < pairs; pair++) {
    // Who goes first changes, so that neither always meets the other's garbage.
    const before = pair % 2 === 0 ? await perSecond(bare) : undefined;
    const own = await perSecond(ours);
    const base = before ?? (await perSecond(bare));
    if (pair >= 0) seen.push({ bare: base, ours: own });
  }
  const middle = seen.toSorted((a, b) => ratio(a) - ratio(b))[pairs >> 1];
  if (middle === undefined) throw new Error("no pairs");
  return middle;
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
