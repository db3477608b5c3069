import { once } from "node:events";
import { access, writeFile } from "node:fs/promises";
import { connect, createServer, type Server } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { CliHome, isExecutable, nodeBuildOnly } from "./support/cli.ts";
import { RunningProxy } from "./support/proxy.ts";

const ok = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
/** Bytes that the provider got, and what it answers with; one character a byte. */
/** Bun answers 431 to more headers. */
const limited = nodeBuildOnly("more than 199 headers");

let sent = "";
let answer = ok;
/** Whether it closes the connection behind its answer. */
let hangsUp = true;

const provider = createServer((socket) => {
  let isAnswered = false;
  socket.on("error", () => {});
  socket.on("data", (chunk) => {
    sent += chunk.toString("latin1");
    if (isAnswered || !isWhole(sent)) return;
    isAnswered = true;
    const bytes = Buffer.from(answer, "latin1");
    if (hangsUp) socket.end(bytes);
    else socket.write(bytes);
  });
});

const isWhole = (text: string) => {
  const [head = "", body] = text.split("\r\n\r\n");
  return (
    body !== undefined && body.length >= Number(/content-length: (\d+)/iu.exec(head)?.[1] ?? 0)
  );
};

let home: CliHome;
let proxy: RunningProxy;
let host: string;

beforeAll(async () => {
  await new Promise<void>((resolve) => provider.listen(0, "127.0.0.1", resolve));
  home = await CliHome.make(`openai_base_url = "http://127.0.0.1:${portOf(provider)}/v1"\n`);
  proxy = await RunningProxy.start(home, [], { CODEX_API_KEY: "sk-CANARY-0123456789" });
  host = `Host: 127.0.0.1:${proxy.port}\r\n`;
});
afterAll(async () => {
  await proxy[Symbol.asyncDispose]();
  await home[Symbol.asyncDispose]();
  provider.close();
});
beforeEach(() => {
  hangsUp = true;
  sent = "";
  answer = ok;
});

const portOf = (server: Server) => {
  const address = server.address();
  return typeof address === "object" ? (address?.port ?? 0) : 0;
};

/** Writes bytes to the proxy and reads until the answer's body ends in `until`, or the connection closes. */
const exchange = (text: string, until = "ok") =>
  new Promise<string>((resolve, reject) => {
    const client = connect(proxy.port, "127.0.0.1");
    let got = "";
    client.on("data", (chunk) => {
      got += chunk.toString("latin1");
      if (got.endsWith(until)) client.destroy();
    });
    client.on("close", () => resolve(got));
    client.on("error", reject);
    client.write(Buffer.from(text, "latin1"));
  });

const h2c = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAA\r\n";
const post = `POST /v1/responses HTTP/1.1\r\n`;
const json = 'Content-Type: application/json\r\nContent-Length: 13\r\n\r\n{"model":"x"}';

describe("what a proxy passes on, byte by byte", () => {
  it.each([
    ["h2c, as curl --http2 and Java send it", h2c],
    ["an unknown protocol", "Connection: Upgrade\r\nUpgrade: TLS/1.0\r\n"],
    ["websocket, on a request that is not a GET", "Connection: Upgrade\r\nUpgrade: websocket\r\n"],
  ])("ignores the offer of %s", async (_, offer) => {
    const got = await exchange(`${post}${host}${offer}${json}`);
    expect(got).toMatch(/^HTTP\/1\.1 200 OK\r\n/u);
    const [head = "", body] = sent.split("\r\n\r\n");
    expect(head).toMatch(/^POST \/v1\/responses HTTP\/1\.1\r\n/u);
    expect(head).not.toMatch(/upgrade|http2-settings|h2c/iu);
    expect(body).toBe('{"model":"x"}');
  });

  it("streams a body that comes long after such an offer", async () => {
    const client = connect(proxy.port, "127.0.0.1");
    const head = `${post}${host}${h2c}Expect: 100-continue\r\nContent-Length: 13\r\n\r\n`;
    client.write(head);
    await once(client, "data");
    client.write('{"model":"x"}');
    const [got] = await once(client, "data");
    client.destroy();
    expect(String(got)).toMatch(/^HTTP\/1\.1 200 OK\r\n/u);
    expect(sent.split("\r\n\r\n")[1]).toBe('{"model":"x"}');
  });

  it("takes the next request of the same connection after an offer that it ignored", async () => {
    const first = await exchange(
      `${post}${host}${h2c}${json}GET /v1/second HTTP/1.1\r\n${host}Connection: close\r\n\r\n`,
      "never",
    );
    expect(first.match(/HTTP\/1\.1 200 OK/gu)).toHaveLength(2);
    expect(sent).toContain("GET /v1/second HTTP/1.1\r\n");
  });

  it("answers requests in their order if each of them makes such an offer", async () => {
    const offers = Array.from(
      { length: 12 },
      (_, at) => `GET /v1/at/${at} HTTP/1.1\r\n${host}${h2c}\r\n`,
    );
    const last = `GET /v1/last HTTP/1.1\r\n${host}Connection: close\r\n\r\n`;
    const got = await exchange(offers.join("") + last, "never");
    expect(got.match(/HTTP\/1\.1 200 OK/gu)).toHaveLength(13);
    const paths = [...sent.matchAll(/GET \/v1\/(\S+)/gu)].map(([, path]) => path);
    expect(paths).toEqual([...offers.map((_, at) => `at/${at}`), "last"]);
    expect(proxy.log.join("\n")).not.toContain("Warning");
  });

  it.skipIf(isExecutable)(
    `reads a body as a body, also after many headers and offers${limited}`,
    async () => {
      const many = "a: 1\r\n".repeat(2500);
      const body = `GET /v1/smuggled HTTP/1.1\r\n${host}`;
      const length = `Content-Length: ${body.length}\r\n\r\n`;
      const got = await exchange(`${post}${host}${h2c}${many}${length}${body}`);
      expect(got.match(/HTTP\/1\.1 200 OK/gu)).toHaveLength(1);
      expect(sent.endsWith(body)).toBe(true);
    },
  );

  it.skipIf(isExecutable)(
    `finds a Host header after any number of other headers${limited}`,
    async () => {
      const many = "a: 1\r\n".repeat(2500);
      const got = await exchange(
        `GET /a HTTP/1.1\r\n${host}${many}Host: evil.example\r\n\r\n`,
        "never",
      );
      expect(got).toMatch(/^HTTP\/1\.1 400 /u);
      expect(sent).toBe("");
    },
  );

  it.runIf(isExecutable)(
    `answers 431 to more than 199 headers, and sends nothing${isExecutable ? "" : " (skipped: only the executable does)"}`,
    async () => {
      const many = "a: 1\r\n".repeat(199);
      const got = await exchange(`GET /a HTTP/1.1\r\n${host}${many}\r\n`, "never");
      expect(got).toMatch(/^HTTP\/1\.1 431 /u);
      expect(sent).toBe("");
    },
  );

  it("logs no password of an address in the absolute form, or of CONNECT", async () => {
    await exchange(`GET http://me:CANARY@b.example/c HTTP/1.1\r\n${host}\r\n`, "never");
    expect(await proxy.logged(/b\.example/u)).toContain(" GET http://b.example/c 400 ");
    await exchange(`CONNECT me:CANARY@c.example:443 HTTP/1.1\r\n${host}\r\n`, "never");
    expect(await proxy.logged(/c\.example/u)).toContain(" CONNECT c.example:443 501 ");
    expect(proxy.log.join("\n")).not.toContain("CANARY");
  });

  it.each([
    ["is not ASCII", "\xe2\x82\xac"],
    ["is not UTF-8", "a\x80b"],
    ["holds an escape sequence", "a\x1bb"],
    ["is empty", ""],
  ])("answers if the provider's reason phrase %s", async (_, reason) => {
    answer = `HTTP/1.1 200 ${reason}\r\ncontent-length: 2\r\n\r\nok`;
    const got = await exchange(`GET /models HTTP/1.1\r\n${host}\r\n`);
    expect(got).toMatch(/^HTTP\/1\.1 200 OK\r\n/u);
    expect(got).toMatch(/\r\n\r\nok$/u);
  });

  it("keeps the bytes of header values in both directions", async () => {
    answer = "HTTP/1.1 200 OK\r\nx-back: caf\xe9\r\ncontent-length: 2\r\n\r\nok";
    const got = await exchange(`GET /models HTTP/1.1\r\n${host}X-There: caf\xe9\r\n\r\n`);
    expect(got).toContain("x-back: caf\xe9\r\n");
    expect(sent).toMatch(/x-there: caf\xe9\r\n/iu);
  });

  it("keeps them in the answer to a WebSocket upgrade, too", async () => {
    answer =
      "HTTP/1.1 101 \xe2\x82\xac\r\nconnection: upgrade\r\nupgrade: websocket\r\nx-back: caf\xe9\r\n\r\nok";
    const key = "Sec-WebSocket-Key: eA==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    const got = await exchange(
      `GET /a HTTP/1.1\r\n${host}Connection: Upgrade\r\nUpgrade: websocket\r\n${key}`,
    );
    expect(got).toMatch(/^HTTP\/1\.1 101 Switching Protocols\r\n/u);
    expect(got).toContain("x-back: caf\xe9\r\n");
  });

  it.each([
    ["TRACE, which shows the credential", () => `TRACE /x HTTP/1.1\r\n${host}\r\n`, 501],
    ["CONNECT, which is a tunnel", () => `CONNECT a.example:443 HTTP/1.1\r\n${host}\r\n`, 501],
    ["two Host headers", () => `GET /a HTTP/1.1\r\n${host}Host: evil.example\r\n\r\n`, 400],
    ["slashes in code", () => `GET /v1/..%2f..%2fadmin HTTP/1.1\r\n${host}\r\n`, 400],
    ["dots in code twice", () => `GET /v1/%252e%252e/admin HTTP/1.1\r\n${host}\r\n`, 400],
    ["backslashes in code", () => `GET /a/..%5c..%5cadmin HTTP/1.1\r\n${host}\r\n`, 400],
    ["dots with a parameter", () => `GET /..;/admin HTTP/1.1\r\n${host}\r\n`, 400],
  ])("refuses %s, and sends nothing", async (_, text, status) => {
    const got = await exchange(text(), "never");
    expect(got).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `, "u"));
    expect(sent + got).not.toContain("CANARY");
    expect(sent).toBe("");
  });
});

/** When a client leaves: at once, when its bytes are away, or when the proxy has read them. */
const moments: readonly ((written: Promise<unknown>) => Promise<unknown>)[] = [
  () => Promise.resolve(),
  (written) => written,
  // It has read what came before a request that it has answered.
  (written) => written.then(() => exchange(`TRACE /x HTTP/1.1\r\n${host}\r\n`)),
];

/** Sends bytes and breaks the connection off, as a browser does whose tab is closed. */
const breakOff = async (text: string, moment: (typeof moments)[number]) => {
  const client = connect(proxy.port, "127.0.0.1");
  client.on("error", () => {}); // the proxy may have closed it already
  const closed = new Promise((resolve) => client.once("close", resolve));
  await once(client, "connect");
  const written = new Promise((resolve) => client.write(text, resolve));
  await Promise.race([moment(written), closed]);
  client.resetAndDestroy();
  await closed;
};

const webSocket = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: eA==\r\n\r\n";

describe("a client that breaks its connection off", () => {
  it.each([
    ["a WebSocket", () => `GET /a HTTP/1.1\r\n${host}${webSocket}`],
    [
      "a web page's WebSocket",
      () => `GET /a HTTP/1.1\r\n${host}Origin: https://evil.example\r\n${webSocket}`,
    ],
    ["a WebSocket outside", () => `GET /../../a HTTP/1.1\r\n${host}${webSocket}`],
    ["a tunnel", () => `CONNECT a.example:443 HTTP/1.1\r\n${host}\r\n`],
    ["another protocol", () => `${post}${host}${h2c}Content-Length: 99999\r\n\r\n`],
    [
      "an upgrade behind a request",
      () => `GET /a HTTP/1.1\r\n${host}\r\nGET /b HTTP/1.1\r\n${host}${h2c}\r\n`,
    ],
  ])("while it asks for %s does not end the proxy", async (_, text) => {
    answer = ""; // the provider hangs up
    const more = "x".repeat(50_000);
    for (const moment of moments) await breakOff(text() + more, moment);
    answer = ok;
    sent = "";
    const got = await exchange(`GET /models HTTP/1.1\r\n${host}\r\n`);
    expect(got).toMatch(/^HTTP\/1\.1 200 OK\r\n/u);
  });

  it("behind an upgrade that waits for an earlier response releases the provider", async () => {
    answer = "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf";
    hangsUp = false;
    const client = connect(proxy.port, "127.0.0.1");
    client.write(`GET /a HTTP/1.1\r\n${host}\r\nGET /b HTTP/1.1\r\n${host}${h2c}\r\n`);
    const [provided] = await once(provider, "connection");
    await once(client, "data");
    client.destroy();
    await once(provided, "close");
    // Bun handles a request whose offer it ignores like any other, and so before the earlier one is answered.
    const waiting = isExecutable ? [] : ["GET /v1/b"];
    expect(waiting.filter((request) => sent.includes(request))).toEqual([]);
  });
});

/** A proxy whose token command waits, after its first run, until there is a file `go`; it makes `begun` meanwhile. */
const startSlowSigning = async () => {
  const slow = await CliHome.make();
  const inHome = (name: string) => join(slow.path, name);
  const script = `if [ -e first ]; then touch begun; until [ -e go ]; do sleep 0.02; done; fi; touch first; echo token`;
  await writeFile(
    inHome("config.toml"),
    `model_provider = "own"
[model_providers.own]
name = "own"
base_url = "http://127.0.0.1:${portOf(provider)}/v1"
auth = { command = "sh", args = ["-c", "${script}"], cwd = "${slow.path}", refresh_interval_ms = 1 }
`,
  );
  const running = await RunningProxy.start(slow);
  return {
    running,
    begun: () => vi.waitFor(() => access(inHome("begun"))),
    letGo: () => writeFile(inHome("go"), ""),
    [Symbol.asyncDispose]: async () => {
      await running[Symbol.asyncDispose]();
      await slow[Symbol.asyncDispose]();
    },
  };
};

describe("a client that goes away while the proxy signs its request", () => {
  it("causes no request to the provider", async () => {
    await using slow = await startSlowSigning();
    const { port } = slow.running;
    const client = connect(port, "127.0.0.1");
    client.write(`GET /v1/left HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`);
    await slow.begun();
    client.destroy();
    await slow.running.logged(/GET \/v1\/left aborted/u);
    await slow.letGo();
    const answer = await fetch(`${slow.running.baseUrl}/v1/stayed`);
    expect(await answer.text()).toBe("ok");
    expect(sent).toContain("GET /v1/stayed ");
    expect(sent).not.toContain("/v1/left");
  });
});
