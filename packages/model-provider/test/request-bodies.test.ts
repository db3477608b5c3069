import { Request as UndiciRequest } from "undici";
import { describe, expect, it } from "vitest";
import { createAuthenticatedFetch } from "../src/fetch/index.ts";
import type { PromiseCredentials } from "../src/credentials/index.ts";
import { isReplayable, RecordedBody } from "../src/requests/body.ts";
import { apiKey, bearer } from "./support/credentials.ts";
import { managerOf } from "./support/managers.ts";
import { providerAt } from "./support/providers.ts";
import { answer, type Respond, startServer } from "./support/server.ts";

const refusedOnce: Respond = (_request, response, count) =>
  answer(response, count === 1 ? 401 : 200);

const fetchTo = (url: string, manager: PromiseCredentials = managerOf(bearer("a"), bearer("b"))) =>
  createAuthenticatedFetch({ provider: providerAt(url), manager });

const bytes = (text: string) => new TextEncoder().encode(text);

/** A body, and a change of it that its owner makes after the call. */
const changing: ReadonlyArray<
  readonly [string, () => readonly [body: NonNullable<RequestInit["body"]>, change: () => void]]
> = [
  [
    "a Uint8Array",
    () => {
      const body = bytes("prompt");
      return [body, () => body.fill(0x58)];
    },
  ],
  [
    "a part of a buffer",
    () => {
      const whole = bytes("a prompt b");
      return [whole.subarray(2, 8), () => whole.fill(0x58)];
    },
  ],
  [
    "a DataView",
    () => {
      const whole = bytes("a prompt b");
      return [new DataView(whole.buffer, 2, 6), () => whole.fill(0x58)];
    },
  ],
  [
    "an ArrayBuffer",
    () => {
      const body = bytes("prompt");
      return [body.buffer, () => body.fill(0x58)];
    },
  ],
  [
    "URLSearchParams",
    () => {
      const body = new URLSearchParams("prompt");
      return [body, () => body.append("x", "1")];
    },
  ],
];

describe("createAuthenticatedFetch: a body that its owner changes after the call", () => {
  const slow = { ...managerOf(apiKey()), snapshot: () => null };
  const expected = /^prompt=?$/;

  it.each(changing)("is sent as it was, if the credential is there: %s", async (_kind, make) => {
    await using server = await startServer((_request, response) => answer(response, 200));
    const [body, change] = make();
    const sending = fetchTo(server.url)("/x", { method: "POST", body });
    change();
    await sending;
    expect(server.seen[0]?.body).toMatch(expected);
  });

  it.each(changing)(
    "is sent as it was, if the credential has to be loaded: %s",
    async (_kind, make) => {
      await using server = await startServer((_request, response) => answer(response, 200));
      const [body, change] = make();
      const sending = fetchTo(server.url, slow)("/x", { method: "POST", body });
      change();
      await sending;
      expect(server.seen[0]?.body).toMatch(expected);
    },
  );

  it.each(changing)("is repeated as it was after a 401: %s", async (_kind, make) => {
    const [body, change] = make();
    await using server = await startServer((request, response, count) => {
      change();
      return refusedOnce(request, response, count);
    });
    await fetchTo(server.url)("/x", { method: "POST", body });
    expect(server.seen.map((seen) => expected.test(seen.body))).toEqual([true, true]);
  });

  it("is repeated as it was after a 401: FormData", async () => {
    const body = new FormData();
    body.append("a", "prompt");
    await using server = await startServer((request, response, count) => {
      body.append("b", "changed");
      return refusedOnce(request, response, count);
    });
    await fetchTo(server.url)("/x", { method: "POST", body });
    expect(server.seen.map((seen) => seen.body.includes("changed"))).toEqual([false, false]);
  });

  it.each([
    ["a record", (): Record<string, string> => ({ "x-a": "1" })],
    ["Headers", () => new Headers({ "x-a": "1" })],
  ])("has headers as they were: %s", async (_kind, make) => {
    await using server = await startServer(refusedOnce);
    const headers = make();
    const sending = fetchTo(server.url, slow)("/x", { headers });
    if (headers instanceof Headers) headers.set("x-a", "2");
    else headers["x-a"] = "2";
    await sending;
    expect(server.seen.map((seen) => seen.headers["x-a"])).toEqual(["1"]);
  });
});

const mib = 1024 * 1024;

/** A stream of pieces, which counts how many were taken. */
const streamOf = (piece: Uint8Array, count: number) => {
  const taken = { count: 0, cancelled: false };
  const stream = new ReadableStream<Uint8Array>(
    {
      pull: (controller) => {
        if (taken.count === count) return controller.close();
        taken.count++;
        controller.enqueue(piece);
      },
      cancel: () => {
        taken.cancelled = true;
      },
    },
    { highWaterMark: 0 },
  );
  return { stream, taken };
};

describe("createAuthenticatedFetch: a Request", () => {
  it.each([
    ["Node's, of text", (url: string) => new Request(url, { method: "POST", body: "prompt" })],
    [
      "undici's, of text",
      (url: string) => new UndiciRequest(url, { method: "POST", body: "prompt" }),
    ],
    [
      "of bytes",
      (url: string) =>
        new Request(url, { method: "POST", body: new TextEncoder().encode("prompt") }),
    ],
    [
      "of a stream",
      (url: string) =>
        new Request(url, {
          method: "POST",
          body: streamOf(new TextEncoder().encode("pro"), 1).stream.pipeThrough(
            new TransformStream({ flush: (rest) => rest.enqueue(new TextEncoder().encode("mpt")) }),
          ),
          duplex: "half",
        }),
    ],
  ])("is repeated after a 401: %s", async (_kind, make) => {
    await using server = await startServer(refusedOnce);
    const response = await fetchTo(server.url)(make(`${server.url}/x`));
    expect([response.status, server.seen.map((seen) => seen.body)]).toEqual([
      200,
      ["prompt", "prompt"],
    ]);
  });

  it("is repeated with a body of 8 MiB, but not with a longer one", async () => {
    await using server = await startServer((request, response, count) =>
      refusedOnce({ ...request, body: "" }, response, count),
    );
    const request = (size: number) =>
      new Request(`${server.url}/x`, { method: "POST", body: new Uint8Array(size) });
    expect((await fetchTo(server.url)(request(8 * mib))).status).toBe(200);
    expect(server.seen.map(({ body }) => body.length)).toEqual([8 * mib, 8 * mib]);
    await using other = await startServer(refusedOnce);
    const long = new Request(`${other.url}/x`, {
      method: "POST",
      body: new Uint8Array(8 * mib + 1),
    });
    expect((await fetchTo(other.url)(long)).status).toBe(401);
    expect(other.seen.map(({ body }) => body.length)).toEqual([8 * mib + 1]);
  });

  it("is redirected with its body", async () => {
    await using server = await startServer((request, response) =>
      request.url === "/x" ? answer(response, 307, "", { location: "/y" }) : answer(response, 200),
    );
    const request = new Request(`${server.url}/x`, { method: "POST", body: "prompt" });
    expect((await fetchTo(server.url)(request)).status).toBe(200);
    expect(server.seen.map(({ url, body }) => [url, body])).toEqual([
      ["/x", "prompt"],
      ["/y", "prompt"],
    ]);
  });
});

const read = async (stream: ReadableStream<Uint8Array>): Promise<string> =>
  new Response(stream).text();

describe("RecordedBody", () => {
  it("gives what is recorded, then the rest, to a later stream", async () => {
    const { stream } = streamOf(new TextEncoder().encode("ab"), 3);
    const body = new RecordedBody(stream);
    const first = body.stream().getReader();
    await first.read();
    expect(await read(body.stream())).toBe("ababab");
    expect((await first.read()).done).toBe(true);
    expect(await read(body.stream())).toBe("ababab");
  });

  it("loses nothing if the earlier stream was waiting for the source", async () => {
    const late = Promise.withResolvers<void>();
    let count = 0;
    const body = new RecordedBody(
      new ReadableStream<Uint8Array>({
        pull: async (controller) => {
          if (++count === 2) await late.promise;
          if (count === 4) controller.close();
          else controller.enqueue(new TextEncoder().encode(String(count)));
        },
      }),
    );
    const first = body.stream().getReader();
    await first.read();
    const waiting = first.read();
    const second = read(body.stream());
    late.resolve();
    expect(await second).toBe("123");
    expect((await waiting).done).toBe(true);
  });

  it("passes a long body on without keeping it", async () => {
    const piece = new Uint8Array(mib);
    const body = new RecordedBody(streamOf(piece, 12).stream);
    let length = 0;
    for await (const chunk of body.stream()) {
      length += chunk.length;
      expect(isReplayable(body)).toBe(length < 9 * mib);
    }
    expect(length).toBe(12 * mib);
  });

  it("cancels its source only if the last stream is cancelled", async () => {
    const { stream, taken } = streamOf(new Uint8Array(1), 5);
    const body = new RecordedBody(stream);
    await body.stream().cancel();
    expect(taken.cancelled).toBe(false);
    const last = body.stream();
    body.finish();
    await last.cancel();
    expect(taken.cancelled).toBe(true);
  });

  it("fails its streams if the source fails", async () => {
    const body = new RecordedBody(
      new ReadableStream({ pull: () => Promise.reject(new RangeError("source")) }),
    );
    await expect(read(body.stream())).rejects.toThrow("source");
  });
});
