import { describe, expect, it } from "vitest";
import { makeSessionHost, openSession } from "../../src/rpc/session.ts";
import { growthOf } from "../support/memory.ts";
import { makeMethods } from "../support/methods.ts";

const turn = () => new Promise((resolve) => setImmediate(resolve));

/** A session whose transport writes into a list; `unread` plays a client that does not read. */
const start = (options: { readonly reads: boolean } = { reads: true }) => {
  const methods = makeMethods();
  const sent: string[] = [];
  const state = { unread: 0, isPaused: false, pauses: 0, aborts: 0 };
  const warnings: string[] = [];
  const host = makeSessionHost(methods.open, (line) => void warnings.push(line));
  const session = openSession(
    {
      send: (text) => {
        sent.push(text);
        if (!options.reads) state.unread += text.length;
      },
      bufferedBytes: () => state.unread,
      setPaused: (isPaused) => {
        state.isPaused = isPaused;
        if (isPaused) state.pauses += 1;
      },
      abort: () => {
        state.aborts += 1;
        session.close();
      },
    },
    host,
  );
  const [client] = methods.clients;
  if (client === undefined) throw new Error("no client");
  const answers = () => sent.map((text): unknown => JSON.parse(text));
  return { session, methods, client, sent, answers, state, warnings };
};

const request = (id: number, method: string, params: unknown = {}) =>
  JSON.stringify({ id, method, params });

const overload = (id: number) => ({
  error: {
    code: -32001,
    message: "Server overloaded; retry later.",
    data: {
      code: "APP_SERVER_OVERLOADED",
      hint: "Wait for answers before sending more requests.",
      remedy: "retry",
    },
  },
  id,
});

describe("a session", () => {
  it("answers requests in the order in which their answers are ready", async () => {
    const { session, methods, answers } = start();
    session.receive(request(1, "never", "slow"));
    session.receive(request(2, "echo", "fast"));
    methods.release();
    await turn();
    expect(answers()).toEqual([
      { id: 2, result: "fast" },
      { id: 1, result: "slow" },
    ]);
  });

  it("answers 128 requests at once, and the 129th with -32001 while none of them is done", async () => {
    const { session, methods, answers } = start();
    for (let id = 1; id <= 129; id++) session.receive(request(id, "never", id));
    await turn();
    expect(answers()).toEqual([overload(129)]);
    methods.release();
    await turn();
    expect(answers()).toHaveLength(129);
    session.receive(request(130, "echo"));
    expect(answers().at(-1)).toEqual({ id: 130, result: {} });
  });

  it("answers any number of requests in one read if each is answered soon", async () => {
    const { session, answers } = start();
    for (let id = 0; id < 5000; id++) session.receive(request(id, "soon", id));
    await session.settled();
    expect(answers()).toEqual(Array.from({ length: 5000 }, (_, id) => ({ id, result: id })));
  });

  it("passes notifications and answers on while requests are waiting", async () => {
    const { session, methods, client } = start();
    for (let id = 1; id <= 128; id++) session.receive(request(id, "never"));
    const asked = client.request("ask", {}, new AbortController().signal);
    session.receive('{"method":"told"}');
    session.receive('{"id":0,"result":"yes"}');
    expect(methods.received.at(-1)).toBe("told");
    expect(await asked).toBe("yes");
  });

  it("stops reading while it has a backlog, and continues afterwards", async () => {
    const { session, state, methods } = start();
    for (let id = 1; id <= 200; id++) session.receive(request(id, "never"));
    expect(state.isPaused).toBe(true);
    await turn();
    await turn();
    expect(state.isPaused).toBe(false);
    methods.release();
    await session.settled();
  });

  it("does not read from a client with 256 KiB unread, and continues when it has read them", async () => {
    const options = { reads: false };
    const { session, state, sent } = start(options);
    const big = "x".repeat(100 * 1024);
    for (let id = 1; id <= 5; id++) session.receive(request(id, "echo", big));
    expect(state.isPaused).toBe(true);
    expect(sent).toHaveLength(3);
    options.reads = true;
    state.unread = 0;
    session.drained();
    await session.settled();
    expect(sent).toHaveLength(5);
    expect(state.isPaused).toBe(false);
    expect(state.aborts).toBe(0);
  });

  it("disconnects a client that leaves more than 1 MiB of notifications unread", () => {
    const { client, state, methods, sent } = start({ reads: false });
    const params = { text: "x".repeat(64 * 1024) };
    for (let count = 0; count < 100; count++) client.notify("told", params);
    expect(state.aborts).toBe(1);
    expect(sent.length).toBeLessThan(18);
    expect(methods.closed).toEqual([client]);
  });

  it("gives notifications the time at which they were sent, beside params", () => {
    const { client, answers, sent } = start();
    const before = Date.now();
    client.notify("told", { a: 1 });
    expect(answers()).toEqual([
      { method: "told", params: { a: 1 }, emittedAtMs: expect.any(Number) },
    ]);
    const emittedAtMs = Number(/"emittedAtMs":(\d+)/u.exec(sent[0] ?? "")?.[1]);
    expect(emittedAtMs).toBeGreaterThanOrEqual(before);
  });

  it("numbers its requests from 0 and rejects with the client's error", async () => {
    const { session, client, answers } = start();
    const { signal } = new AbortController();
    const first = client.request("ask", {}, signal);
    const second = client.request("ask", {}, signal);
    expect(answers()).toEqual([
      { id: 0, method: "ask", params: {} },
      { id: 1, method: "ask", params: {} },
    ]);
    session.receive('{"id":1,"error":{"code":-32000,"message":"no"}}');
    await expect(second).rejects.toEqual({ code: -32000, message: "no" });
    session.receive('{"id":0,"result":5}');
    expect(await first).toBe(5);
  });

  it("ignores an answer without a request, a second answer, and an answer with a string as id", async () => {
    const { session, client } = start();
    session.receive('{"id":0,"result":"early"}');
    const asked = client.request("ask", {}, new AbortController().signal);
    session.receive('{"id":"0","result":"text"}');
    session.receive('{"id":99,"result":"other"}');
    session.receive('{"id":0,"result":"first"}');
    session.receive('{"id":0,"result":"second"}');
    expect(await asked).toBe("first");
  });

  it("rejects requests to the client if it disconnects, if their signal aborts, and afterwards", async () => {
    const { session, client } = start();
    const aborts = new AbortController();
    const cancelled = client.request("ask", {}, aborts.signal);
    aborts.abort();
    await expect(cancelled).rejects.toMatchObject({ message: "the request was cancelled" });
    const open = client.request("ask", {}, new AbortController().signal);
    session.close();
    await expect(open).rejects.toMatchObject({ message: "the client has disconnected" });
    const late = client.request("ask", {}, new AbortController().signal);
    await expect(late).rejects.toMatchObject({ message: "the client has disconnected" });
  });

  it("sends nothing and receives nothing after it was closed, and closes its methods once", async () => {
    const { session, client, methods, sent } = start();
    session.receive(request(1, "never"));
    session.close();
    session.close();
    methods.release();
    await turn();
    client.notify("told", {});
    session.receive(request(2, "echo"));
    expect(sent).toEqual([]);
    expect(methods.closed).toHaveLength(1);
    await session.settled();
  });

  it.each([
    ["throw", "RangeError"],
    ["reject", "RangeError"],
    ["bigint", "TypeError"],
  ])(
    "answers -32603 to a request whose handler has a bug (%s), warns without its message, and continues",
    async (method, name) => {
      const { session, answers, warnings } = start();
      session.receive(JSON.stringify({ method }));
      session.receive(request(1, method));
      await turn();
      session.receive(request(2, "echo", "still here"));
      await session.settled();
      expect(answers()).toEqual([
        { error: { code: -32603, message: "internal error" }, id: 1 },
        { id: 2, result: "still here" },
      ]);
      for (const warning of warnings)
        expect(warning).toMatch(
          new RegExp(`^the handler of ${method} failed: ${name} at [^\\n]+$`),
        );
      expect(warnings.length).toBeGreaterThan(0);
      expect(warnings.join()).not.toContain("sk-secret");
    },
  );

  it("warns of a bug without a method that could be anything", async () => {
    const { session, warnings } = start();
    session.receive(JSON.stringify({ id: 1, method: "throw", params: {} }));
    session.receive(JSON.stringify({ id: 2, method: `throw sk-${"x".repeat(100)}`, params: {} }));
    await session.settled();
    expect(warnings.map((line) => line.split(" failed")[0])).toEqual([
      "the handler of throw",
      "the handler of a method",
    ]);
  });

  it.each([
    ["a million requests", 1_000_000, (id: number) => `{"id":"${id}","method":"echo","params":1}`],
    ["200,000 requests that are wrong", 200_000, (id: number) => `{"id":${id},"method":"fail"}`],
    ["200,000 answers to nothing", 200_000, (id: number) => `{"id":${id},"result":1}`],
    ["200,000 notifications", 200_000, (id: number) => `{"method":"told","params":{"id":${id}}}`],
  ])("keeps nothing of %s, each with a different id", async (_, count, message) => {
    const { methods, session, sent } = start();
    const growth = await growthOf(async () => {
      for (let id = 0; id < count; id++) {
        session.receive(message(id));
        sent.length = 0;
        methods.received.length = 0;
      }
      await session.settled();
    });
    expect(growth).toBeLessThan(8);
    session.receive(request(7, "echo", "again"));
    expect(sent).toEqual(['{"id":7,"result":"again"}']);
  });
});
