import { once } from "node:events";
import { Readable } from "node:stream";
import { Worker } from "node:worker_threads";
import { makeDispatcher } from "@agent-auth/login/http";
import { parseEnvironment } from "@agent-auth/login/config/environment";
import * as Effect from "effect/Effect";
import * as Scope from "effect/Scope";
import * as Exit from "effect/Exit";
import { describe, expect, it } from "vitest";
import { authInterceptor } from "../src/dispatcher/index.ts";
import { createAuthenticatedFetch } from "../src/fetch/index.ts";
import { apiKey } from "./support/credentials.ts";
import { managerOf } from "./support/managers.ts";
import { providerAt } from "./support/providers.ts";

const size = 3_000_000;
const piece = Buffer.alloc(64 * 1024, "a");

async function* pieces(): AsyncGenerator<Buffer> {
  for (let sent = 0; sent < size; sent += piece.length) yield piece;
}

/**
 * Answers as soon as a request begins, and closes the connection without reading its body. It runs in its own thread,
 * since in this one it could not answer while a request is being written.
 */
const refusing = async (status: number) => {
  const program = `
    const { createServer } = require("node:net");
    const { parentPort, workerData } = require("node:worker_threads");
    const server = createServer((socket) => {
      socket.on("error", () => {});
      socket.once("data", () => {
        socket.pause();
        socket.write("HTTP/1.1 " + workerData + " no\\r\\ncontent-length: 7\\r\\nconnection: close\\r\\n\\r\\nrefused");
        socket.destroySoon();
      });
    });
    server.listen(0, "127.0.0.1", () => parentPort.postMessage(server.address().port));`;
  const worker = new Worker(program, { eval: true, workerData: status });
  const [port]: Array<unknown> = await once(worker, "message");
  return {
    url: `http://127.0.0.1:${String(port)}`,
    [Symbol.asyncDispose]: async () => {
      await worker.terminate();
    },
  };
};

const bodies: ReadonlyArray<readonly [string, () => Buffer | Readable]> = [
  ["bytes", () => Buffer.alloc(size, "a")],
  ["a stream of small pieces", () => Readable.from(pieces())],
  ["a stream of one large piece", () => Readable.from([Buffer.alloc(size, "a")])],
];

describe("a server that answers and closes while a body of 3 MB is being sent", () => {
  it.each(
    [401, 403, 413, 503].flatMap((status) =>
      bodies.map(([kind, body]) => [status, kind, body] as const),
    ),
  )("is followed by authInterceptor: %i to %s", async (status, _kind, body) => {
    await using server = await refusing(status);
    const scope = Scope.makeUnsafe();
    const network = makeDispatcher(parseEnvironment({ HOME: "/nonexistent" }));
    const dispatcher = await Effect.runPromise(Scope.provide(network, scope));
    const composed = dispatcher.compose(
      authInterceptor({ provider: providerAt(server.url), manager: managerOf(apiKey()) }),
    );
    for (let round = 0; round < 5; round++) {
      const response = await composed.request({
        origin: server.url,
        path: "/x",
        method: "POST",
        body: body(),
      });
      expect([response.statusCode, await response.body.text()]).toEqual([status, "refused"]);
    }
    await Effect.runPromise(Scope.close(scope, Exit.void));
  });

  it.each(bodies)("is received by the authenticated fetch: %s", async (_kind, body) => {
    await using server = await refusing(401);
    const fetch = createAuthenticatedFetch({
      provider: providerAt(server.url),
      manager: managerOf(apiKey()),
    });
    for (let round = 0; round < 5; round++) {
      const sent = body();
      const init: RequestInit =
        sent instanceof Readable
          ? { body: ReadableStream.from(sent), duplex: "half" }
          : { body: new Uint8Array(sent) };
      const response = await fetch("/x", { method: "POST", ...init });
      expect([response.status, await response.text()]).toEqual([401, "refused"]);
    }
  });
});
