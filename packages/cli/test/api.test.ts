import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from "node:http";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CliHome } from "./support/cli.ts";
import { hasTmux, Terminal } from "./support/terminal.ts";

interface Received {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** ESC, BEL, CSI as a C1 control in UTF-8, and CSI as a byte that is not UTF-8. */
const escapes = "title:\u001b]0;owned\u0007 csi:\u009b31m red:\u001b[31m";
const rawC1 = Buffer.concat([Buffer.from("raw:"), Buffer.from([0x9b]), Buffer.from("31m")]);
const json = '{"object":"list","data":[{"id":"gpt-5","size":12345678901234567890},{"id":"gpt-6"}]}';

let server: Server;
let home: CliHome;
let openaiBaseUrl: string;
const received: Received[] = [];
const env = { CODEX_API_KEY: "sk-proj-1234567890ABCDE" };

const respond = (request: IncomingMessage, response: ServerResponse, body: string) => {
  const { method, url, headers } = request;
  received.push({ method, url, headers, body });
  if (url?.startsWith("/v1/models") === true) {
    response.setHeader("content-type", "application/json; charset=utf-8");
    response.end(json);
  } else if (url === "/v1/split") {
    // A two-byte C1 control, split over two chunks.
    response.write(Buffer.from([0x61, 0xc2]));
    setTimeout(() => response.end(Buffer.from([0x9b, 0x33, 0x31, 0x6d, 0x62])), 50);
  } else if (url === "/v1/evil") {
    response.setHeader("x-evil", "\u009b31mred");
    response.write(escapes);
    response.end(rawC1);
  } else if (url === "/v1/refused") {
    response.writeHead(400, { "content-type": "application/json" });
    response.end('{"error":{"message":"no"}}');
  } else response.end("plain, without a newline");
};

beforeAll(async () => {
  server = createServer((request, response) => {
    void text(request).then((body) => respond(request, response, body));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  openaiBaseUrl = `http://127.0.0.1:${port}/v1`;
  home = await CliHome.make(`openai_base_url = "${openaiBaseUrl}"\n`);
});
afterAll(async () => {
  server.close();
  await home[Symbol.asyncDispose]();
});

const api = (...args: readonly string[]) => home.run(["api", ...args], { env });
const sentBy = async (...args: readonly string[]) => {
  const { exitCode, stderr } = await api(...args);
  expect([exitCode, stderr]).toEqual([0, ""]);
  return received.at(-1);
};

describe("NODE_DEBUG", () => {
  it.each(["undici", "fetch,undici", "*"])(
    "%s prints no URL, whose query may hold a provider's credential",
    async (NODE_DEBUG) => {
      const provider = [
        "model_provider=acme",
        `model_providers.acme.base_url="${openaiBaseUrl}"`,
        'model_providers.acme.query_params={key="canary-in-query"}',
      ].flatMap((override) => ["-c", override]);
      const ended = await home.run(["api", ...provider, "/query"], { env: { NODE_DEBUG } });
      expect(ended.exitCode).toBe(0);
      expect(received.at(-1)?.url).toBe("/v1/query?key=canary-in-query");
      expect(ended.stderr).not.toContain("canary");
    },
  );
});

describe("the body of api", () => {
  it("is a file with -d @FILE, sent unchanged", async () => {
    const path = join(home.path, "request.json");
    await writeFile(path, '{\n  "model": "gpt-5"\n}\n');
    const sent = await sentBy("responses", "-d", `@${path}`);
    expect(sent).toMatchObject({ method: "POST", body: '{\n  "model": "gpt-5"\n}\n' });
    expect(sent?.headers["content-type"]).toBe("application/json");
  });

  it("is stdin with -d @-", async () => {
    const { exitCode } = await home.run(["api", "responses", "-d", "@-"], { env, stdin: "{}" });
    expect([exitCode, received.at(-1)?.body]).toEqual([0, "{}"]);
  });

  it.each([
    ["strings", ["-f", "model=gpt-5", "-f", "n=1"], { model: "gpt-5", n: "1" }],
    ["typed", ["-F", "n=1", "-F", "stream=true", "-F", "x=null"], { n: 1, stream: true, x: null }],
    ["typed, text that is not a literal", ["-F", "n=1.50", "-F", "a=a=b"], { n: "1.50", a: "a=b" }],
    ["nested", ["-f", "a[b][c]=1", "-f", "a[d]=2"], { a: { b: { c: "1" }, d: "2" } }],
    ["a list", ["-f", "tags[]=x", "-F", "tags[]=2"], { tags: ["x", 2] }],
    [
      "a list of objects",
      ["-f", "input[][role]=user", "-f", "input[][text]=hi", "-f", "input[][role]=system"],
      { input: [{ role: "user", text: "hi" }, { role: "system" }] },
    ],
    ["a key of Object.prototype", ["-f", "__proto__[x]=1"], JSON.parse('{"__proto__":{"x":"1"}}')],
  ])("is JSON made from fields: %s", async (_, args, body) => {
    const sent = await sentBy("responses", ...args);
    expect(sent?.method).toBe("POST");
    expect(JSON.parse(sent?.body ?? "")).toEqual(body);
    expect(sent?.headers["content-type"]).toBe("application/json");
  });

  it("takes a field's value from a file with -F KEY=@FILE", async () => {
    const path = join(home.path, "prompt.txt");
    await writeFile(path, "Say hello.\n");
    const sent = await sentBy("responses", "-F", `input=@${path}`);
    expect(JSON.parse(sent?.body ?? "")).toEqual({ input: "Say hello.\n" });
  });

  it("puts fields into the query string with -X GET", async () => {
    const sent = await sentBy("models?a=1", "-X", "GET", "-f", "q=x y", "-F", "limit=2");
    expect(sent).toMatchObject({ method: "GET", url: "/v1/models?a=1&q=x+y&limit=2", body: "" });
  });

  it.each([
    ["two bodies", ["-d", "{}", "-f", "a=1"], "give the body with only one of"],
    ["a field without =", ["-f", "secret"], "-f takes KEY=VALUE"],
    ["a malformed key", ["-F", "a[b=1"], "-F takes KEY=VALUE"],
    ["conflicting types", ["-f", "a=1", "-f", "a[b]=2"], "the fields give 'a' conflicting types"],
  ])("is refused before anything is sent: %s", async (_, args, message) => {
    const before = received.length;
    const { exitCode, stderr } = await api("responses", ...args);
    expect(stderr).toContain(message);
    expect([exitCode, received.length]).toEqual([2, before]);
  });
});

describe("api --jq", () => {
  it("prints what the expression selects, strings without quotes", async () => {
    const { exitCode, stdout, stderr } = await api("models", "--jq", ".data[].id");
    expect([exitCode, stdout, stderr]).toEqual([0, "gpt-5\ngpt-6\n", ""]);
  });

  it("keeps numbers as the server wrote them", async () => {
    const { stdout } = await api("models", "--jq", ".data[0]");
    expect(stdout).toBe('{"id":"gpt-5","size":12345678901234567890}\n');
  });

  it("refuses an expression that does not compile before anything is sent", async () => {
    const before = received.length;
    const { exitCode, stdout, stderr } = await api("models", "--jq", ".data |");
    expect(stderr).toMatch(
      /^Error sending request: the --jq expression does not compile: syntax error.* Correct the expression after --jq\.\n$/u,
    );
    expect([exitCode, stdout, received.length]).toEqual([1, "", before]);
  });

  it("says why the expression does not fit the response", async () => {
    const { exitCode, stderr } = await api("models", "--jq", ".object.id");
    expect(stderr).toBe(
      'Error sending request: --jq failed on the response: Cannot index string with string ("id"). Correct the expression after --jq.\n',
    );
    expect(exitCode).toBe(1);
  });

  it("prints the response of a failed request whole", async () => {
    const { exitCode, stdout } = await api("refused", "--jq", ".data[].id");
    expect([exitCode, stdout]).toEqual([1, '{"error":{"message":"no"}}']);
  });
});

describe("the response of api in a pipe", () => {
  it("is the server's bytes, escape sequences included, and nothing else", async () => {
    const { stdout } = await api("evil");
    expect(stdout).toBe(`${escapes}raw:\u{fffd}31m`);
    expect((await api("models")).stdout).toBe(json);
    expect((await api("plain")).stdout).toBe("plain, without a newline");
  });

  it("keeps a header's bytes with -i", async () => {
    expect((await api("evil", "-i")).stdout).toContain("x-evil: \u009b31mred\r\n");
  });
});

const screenOf = async (args: readonly string[], more: Readonly<Record<string, string>> = {}) => {
  await using terminal = await Terminal.start(home, ["api", ...args], {
    env: { ...env, ...more },
  });
  const shown = await terminal.shows(/\[exit \d\]/u);
  return { text: shown, colours: await terminal.screen({ colours: true }) };
};

describe.skipIf(!hasTmux)("the response of api on a terminal", { timeout: 30_000 }, () => {
  it("ends with a newline", async () => {
    expect((await screenOf(["plain"])).text).toBe("plain, without a newline\n[exit 0]");
  });

  it("is laid out and coloured if it is JSON", async () => {
    const { text, colours } = await screenOf(["models"]);
    expect(text).toContain('{\n  "object": "list",\n  "data": [\n    {\n      "id": "gpt-5",');
    expect(text).toContain('"size": 12345678901234567890\n');
    expect(colours).toContain("\u001b[32m");
  });

  it("has no colours under NO_COLOR", async () => {
    const { text, colours } = await screenOf(["models"], { NO_COLOR: "1" });
    expect(text).toContain('  "object": "list",');
    expect(colours).not.toContain("\u001b[32m");
  });

  it("has no effect on the terminal: a title, colours, C1 controls in both of their forms", async () => {
    const { text, colours } = await screenOf(["evil", "-i"]);
    expect(text).toContain("title:�]0;owned� csi:�31m red:�[31mraw:�31m");
    expect(text).toContain("x-evil: �31mred");
    expect(colours).not.toContain("\u001b[31m");
  });

  it("has no effect if a control character is split over two chunks", async () => {
    const { text, colours } = await screenOf(["split"]);
    expect(text).toBe("a�31mb\n[exit 0]");
    expect(colours).not.toContain("\u001b[31m");
  });

  it("lays out what --jq selects", async () => {
    const { text } = await screenOf(["models", "--jq", ".data[1], .object"]);
    expect(text).toBe('{\n  "id": "gpt-6"\n}\nlist\n[exit 0]');
  });
});
