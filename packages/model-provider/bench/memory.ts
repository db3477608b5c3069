// A body of 1 GiB through each client, in both directions, with the resident set sampled on the way: it must not grow
// with the body. The budget is what undici's buffers and the garbage between two collections may take.
import type { makeBench } from "@agent-auth/tools/bench";
import { Readable } from "node:stream";
import { Agent } from "undici";
import { createAuthenticatedFetch } from "../src/fetch/index.ts";
import { authInterceptor } from "../src/dispatcher/index.ts";
import { agentSigner, startServer } from "./setup.ts";

const gib = 1024 ** 3;
const mib = 1024 ** 2;
const budgetBytes = 128 * mib;

/** Counts what comes, and remembers the highest resident set that it saw. */
const consume = async (body: AsyncIterable<Uint8Array>) => {
  let bytes = 0;
  let peak = process.memoryUsage.rss();
  let next = 0;
  for await (const part of body) {
    bytes += part.byteLength;
    if (bytes < next) continue;
    next = bytes + 16 * mib;
    peak = Math.max(peak, process.memoryUsage.rss());
  }
  return { bytes, peak };
};

async function* produce(bytes: number): AsyncGenerator<Uint8Array> {
  const part = new Uint8Array(64 * 1024);
  for (let left = bytes; left > 0; left -= part.length) yield part;
}

export const benchMemory = async (bench: ReturnType<typeof makeBench>): Promise<void> => {
  const server = await startServer();
  const agent = new Agent();
  const signer = agentSigner(server.origin);
  const fetch = createAuthenticatedFetch({ signer, dispatcher: agent });
  const composed = agent.compose(authInterceptor({ signer }));
  const record = (name: string, bytes: number, growth: number): void => {
    const figure = `${(bytes / mib).toFixed(0)} MiB, resident set grew by ${(growth / mib).toFixed(0)} MiB`;
    bench.record(
      name,
      figure,
      `≤ ${budgetBytes / mib} MiB`,
      bytes === gib && growth <= budgetBytes,
    );
  };
  const download = async (
    name: string,
    open: (bytes: number) => Promise<AsyncIterable<Uint8Array>>,
  ) => {
    await consume(await open(64 * mib));
    const before = process.memoryUsage.rss();
    const { bytes, peak } = await consume(await open(gib));
    record(name, bytes, peak - before);
  };
  const upload = async (
    name: string,
    send: (body: AsyncGenerator<Uint8Array>) => Promise<number>,
  ) => {
    await send(produce(64 * mib));
    const before = process.memoryUsage.rss();
    let peak = before;
    const timer = setInterval(() => {
      peak = Math.max(peak, process.memoryUsage.rss());
    }, 20);
    const bytes = await send(produce(gib));
    clearInterval(timer);
    record(name, bytes, peak - before);
  };

  await download("1 GiB down through createAuthenticatedFetch", async (bytes) => {
    const { body } = await fetch(`/bytes/${bytes}`);
    if (body === null) throw new Error("no body");
    return body;
  });
  await download(
    "1 GiB down through authInterceptor",
    async (bytes) =>
      (await composed.request({ origin: server.origin, path: `/v1/bytes/${bytes}`, method: "GET" }))
        .body,
  );
  await upload("1 GiB up through createAuthenticatedFetch", async (body) => {
    const response = await fetch("/upload", { method: "POST", body, duplex: "half" });
    await response.body?.cancel();
    return Number(response.headers.get("x-received"));
  });
  await upload("1 GiB up through authInterceptor", async (body) => {
    const answer = await composed.request({
      origin: server.origin,
      path: "/v1/upload",
      method: "POST",
      body: Readable.from(body),
    });
    await answer.body.dump();
    return Number(answer.headers["x-received"]);
  });
  await agent.close();
  server.stop();
};
