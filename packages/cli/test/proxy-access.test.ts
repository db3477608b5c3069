/** Who may use a running proxy, and what of a browser, a cookie or an upstream page gets through it. */
import { once } from "node:events";
import { execFile, spawnSync } from "node:child_process";
import {
  chmod,
  chown,
  lchown,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  symlink,
  writeFile,
} from "node:fs/promises";
import {
  createServer,
  request as httpRequest,
  type IncomingHttpHeaders,
  type Server,
} from "node:http";
import { connect, createServer as createTcpServer, type Socket } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { CliHome, isExecutable, nodeBuildOnly } from "./support/cli.ts";
import { RunningProxy } from "./support/proxy.ts";

interface Seen {
  readonly url: string | undefined;
  readonly headers: IncomingHttpHeaders;
}
let seen: Seen[] = [];
let upstream: Server;
let home: CliHome;
/** Started without arguments, for the tests that need no other. */
let proxy: RunningProxy;

beforeAll(async () => {
  upstream = createServer((request, response) => {
    seen.push({ url: request.url, headers: request.headers });
    response.setHeader("set-cookie", ["session=upstream", "other=1"]);
    response.setHeader("content-type", "text/html");
    response.setHeader("content-security-policy", "script-src *");
    response.end("<script>fetch('/models')</script>");
  });
  await new Promise<void>((resolve) => upstream.listen(0, "127.0.0.1", resolve));
  home = await CliHome.make(`openai_base_url = "http://127.0.0.1:${portOf(upstream)}/v1"\n`);
  proxy = await start();
});
afterAll(async () => {
  await proxy[Symbol.asyncDispose]();
  upstream.close();
  await home[Symbol.asyncDispose]();
});
afterEach(() => {
  seen = [];
});

const portOf = (server: { address: Server["address"] }): number => {
  const address = server.address();
  return typeof address === "object" ? (address?.port ?? 0) : 0;
};

const start = (args: readonly string[] = []) =>
  RunningProxy.start(home, args, { CODEX_API_KEY: "sk-provider-key-0123456789" });

interface Answer {
  readonly status: number | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

const send = (
  to: { readonly port: number } | { readonly socketPath: string },
  path: string,
  headers: Readonly<Record<string, string>> = {},
  method = "GET",
) =>
  new Promise<Answer>((resolve, reject) => {
    const target = "port" in to ? { host: "127.0.0.1", ...to } : to;
    const sent = httpRequest({ ...target, path, method, headers, agent: false }, (response) => {
      let body = "";
      response.on("data", (chunk: Buffer) => (body += chunk.toString()));
      response.on("end", () =>
        resolve({ status: response.statusCode, headers: response.headers, body }),
      );
    });
    sent.on("error", reject);
    sent.end();
  });

const codeOf = ({ body }: Answer): unknown => {
  const parsed: { error?: { code?: unknown } } = JSON.parse(body);
  return parsed.error?.code;
};

describe("requests that a browser makes", () => {
  it.each([
    [
      "a link opened from outside the browser",
      { "sec-fetch-site": "none", "sec-fetch-mode": "navigate" },
    ],
    ["a navigation of a browser without fetch metadata", { "upgrade-insecure-requests": "1" }],
    ["a page with the proxy's own origin", { origin: "http://127.0.0.1:PORT" }],
    ["a script of such a page", { "sec-fetch-site": "same-origin", "sec-fetch-mode": "cors" }],
    ["an image", { "sec-fetch-dest": "image" }],
    ["a prefetch", { "sec-purpose": "prefetch" }],
    ["a CORS preflight", { "access-control-request-method": "POST" }],
    ["an image in a page, without fetch metadata", { referer: "https://evil.example/" }],
    [
      "an image in Safari 15, in a page that suppresses Referer",
      {
        accept: "image/webp,image/png,*/*;q=0.8",
        "user-agent":
          "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/15.6 Safari/605.1.15",
      },
    ],
    [
      "a script in an old Firefox",
      { "user-agent": "Mozilla/5.0 (X11; Linux x86_64; rv:52.0) Gecko/20100101 Firefox/52.0" },
    ],
    [
      "a frame in Internet Explorer",
      { "user-agent": "Mozilla/5.0 (Windows NT 10.0; WOW64; Trident/7.0; rv:11.0) like Gecko" },
    ],
  ])("are rejected: %s", async (_, headers) => {
    const own = Object.fromEntries(
      Object.entries(headers).map(([name, value]) => [
        name,
        value.replace("PORT", String(proxy.port)),
      ]),
    );
    const answer = await send({ port: proxy.port }, "/models", own);
    expect([answer.status, codeOf(answer)]).toEqual([403, "CLI_PROXY_BROWSER_REQUEST"]);
    expect(answer.headers["content-security-policy"]).toBe("sandbox");
    expect(seen).toEqual([]);
  });

  it("are distinguished from those of Node's fetch, which sends Sec-Fetch-Mode", async () => {
    const answer = await fetch(`${proxy.baseUrl}/models`);
    expect(answer.status).toBe(200);
    expect(seen).toHaveLength(1);
  });
});

describe("programs that look like a browser", () => {
  it.each([
    "Mozilla/5.0 (Windows NT; Windows NT 10.0; en-US) WindowsPowerShell/5.1.22621.4391",
    "Mozilla/5.0 (Windows NT 10.0; Microsoft Windows 10.0.22631; en-US) PowerShell/7.4.6",
  ])("are served: %s", async (userAgent) => {
    const answer = await send({ port: proxy.port }, "/models", { "user-agent": userAgent });
    expect(answer.status).toBe(200);
  });
});

describe("connections that send nothing", () => {
  const why = nodeBuildOnly("Bun reports a connection when it has sent something");
  it.skipIf(isExecutable)(
    `are closed for new ones beyond 1024, and those in use stay${why}`,
    async () => {
      await using proxy = await start();
      const used = connect(proxy.port, "127.0.0.1");
      const ask = "GET /models HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\n\r\n";
      const request = ask.replace("PORT", String(proxy.port));
      used.write(request);
      await once(used, "data");
      let closed = 0;
      const idle: Socket[] = [];
      for (let count = 0; count < 1100; count += 1) {
        const socket = connect(proxy.port, "127.0.0.1");
        socket.on("error", () => {});
        socket.once("close", () => (closed += 1));
        if (count % 2 === 0) socket.write("GET /models HTTP/1.1\r\nX-Slow: ");
        idle.push(socket);
        if (count % 100 === 99) await once(socket, "connect");
      }
      await expect.poll(() => closed).toBe(1100 - 1024);
      used.write(request);
      await once(used, "data");
      expect((await send({ port: proxy.port }, "/models")).status).toBe(200);
      for (const socket of [used, ...idle]) socket.destroy();
    },
  );

  it("are rejected one by one if their requests are: a body that never ends holds nothing", async () => {
    const socket = connect(proxy.port, "127.0.0.1");
    socket.write(
      "POST /responses HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 1000000000\r\n\r\n{",
    );
    const [answer]: Buffer[] = await once(socket, "data");
    expect(answer?.toString()).toMatch(/^HTTP\/1\.1 421 /u);
    await once(socket, "close");
  });
});

describe("requests in other forms", () => {
  it.each([
    ["HTTP/1.0 without a Host", "GET /models HTTP/1.0\r\n\r\n", 421],
    [
      "the absolute form",
      "GET http://127.0.0.1:PORT/models HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\n\r\n",
      400,
    ],
    [
      "the absolute form of another host",
      "GET http://evil.example/ HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\n\r\n",
      400,
    ],
    [
      "two Host headers",
      "GET /models HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\nHost: evil.example\r\n\r\n",
      400,
    ],
    ["the asterisk form", "OPTIONS * HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\n\r\n", 400],
  ])("are rejected: %s", async (_, request, status) => {
    const socket = connect(proxy.port, "127.0.0.1");
    socket.write(request.replaceAll("PORT", String(proxy.port)));
    const [answer]: Buffer[] = await once(socket, "data");
    expect(Number(answer?.toString().slice(9, 12))).toBe(status);
    socket.destroy();
    expect(seen).toEqual([]);
  });

  it("do not forward trailers", async () => {
    const socket = connect(proxy.port, "127.0.0.1");
    const head = `POST /responses HTTP/1.1\r\nHost: 127.0.0.1:${proxy.port}\r\nTransfer-Encoding: chunked\r\nTrailer: Authorization\r\n\r\n`;
    socket.write(`${head}2\r\n{}\r\n0\r\nAuthorization: Bearer other\r\n\r\n`);
    await once(socket, "data");
    socket.destroy();
    expect(seen).toHaveLength(1);
    expect(seen[0]?.headers.trailer).toBeUndefined();
    expect(seen[0]?.headers.authorization).toBe("Bearer sk-provider-key-0123456789");
  });
});

describe("headers", () => {
  it("do not let upstream pages run scripts, and carry no cookies in either direction", async () => {
    const { headers } = await send({ port: proxy.port }, "/models", { cookie: "mine=1" });
    expect(headers["content-security-policy"]).toBe("sandbox");
    expect(headers["x-content-type-options"]).toBe("nosniff");
    expect(headers["set-cookie"]).toBeUndefined();
    expect(seen[0]?.headers.cookie).toBeUndefined();
  });

  it("carry cookies with --cookies", async () => {
    await using proxy = await start(["--cookies"]);
    const { headers } = await send({ port: proxy.port }, "/models", { cookie: "mine=1" });
    expect(headers["set-cookie"]).toEqual(["session=upstream", "other=1"]);
    expect(seen[0]?.headers.cookie).toBe("mine=1");
  });
});

describe("--token-file", () => {
  it("creates a token, and requires it as the client's API key", async () => {
    const file = join(home.path, "created-token");
    await using proxy = await start(["--token-file", file]);
    const token = (await readFile(file, "utf8")).trim();
    expect(token).toMatch(/^[\w-]{43}$/u);
    expect((await lstat(file)).mode & 0o777).toBe(0o600);
    const to = { port: proxy.port };

    for (const headers of [{}, { authorization: "Bearer unused" }, { "x-api-key": `${token}x` }]) {
      const answer = await send(to, "/models", headers);
      expect([answer.status, codeOf(answer)]).toEqual([401, "CLI_PROXY_TOKEN_REQUIRED"]);
      expect(answer.headers["www-authenticate"]).toBe("Bearer");
    }
    expect(seen).toEqual([]);

    for (const headers of [
      { authorization: `Bearer ${token}` },
      { "x-api-key": token },
      { "api-key": token },
    ])
      expect((await send(to, "/models", headers)).status).toBe(200);
    expect(seen).toHaveLength(3);
    expect(JSON.stringify(seen)).not.toContain(token);
    expect(proxy.log.join("\n")).not.toContain(token);
  });

  it("requires it for a WebSocket, too", async () => {
    const file = join(home.path, "socket-token");
    await using proxy = await start(["--token-file", file]);
    const client = connect(proxy.port, "127.0.0.1");
    client.write(
      `GET /a HTTP/1.1\r\nHost: 127.0.0.1:${proxy.port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: eA==\r\n\r\n`,
    );
    const got = await new Promise((resolve) => client.once("data", resolve));
    client.destroy();
    expect(String(got)).toMatch(/^HTTP\/1\.1 401 /u);
    expect(seen).toEqual([]);
  });

  const files: readonly (readonly [
    what: string,
    make: (path: string) => Promise<unknown>,
    why: string,
  ])[] = [
    [
      "others can read",
      (path) => writeFile(path, "a-long-enough-token\n", { mode: 0o644 }),
      "other users can access it",
    ],
    ["is a link", (path) => symlink("/etc/hostname", path), "it is a symbolic link"],
    ["is a folder", (path) => mkdir(path, { mode: 0o700 }), "it is not a regular file"],
    [
      "is too short",
      (path) => writeFile(path, "short\n", { mode: 0o600 }),
      "at least 16 ASCII characters",
    ],
    [
      "holds two lines",
      (path) => writeFile(path, "a-long-enough-token\nb\n", { mode: 0o600 }),
      "one line",
    ],
  ];
  it.each(files)("does not start with a file that %s", async (what, make, why) => {
    const file = join(home.path, `token-${what.replaceAll(" ", "-")}`);
    await make(file);
    const result = await home.run(["proxy", "--token-file", file], {
      env: { CODEX_API_KEY: "sk-provider-key-0123456789" },
    });
    expect(result.stderr).toContain(why);
    expect([result.exitCode, result.stdout]).toEqual([1, ""]);
  });
});

describe("--listen unix://", () => {
  it("serves on a socket that only this user can open, and removes it at the end", async () => {
    const socketPath = join(home.path, "proxy.sock");
    await using proxy = await start(["--listen", `unix://${socketPath}`]);
    expect(proxy.baseUrl).toBe(`unix://${socketPath}`);
    expect((await lstat(socketPath)).mode & 0o777).toBe(0o600);
    expect((await send({ socketPath }, "/models", { host: "localhost" })).status).toBe(200);
    const page = await send({ socketPath }, "/models", { origin: "https://evil.example" });
    expect(page.status).toBe(403);
    expect(await proxy.stop()).toBe(0);
    await expect(lstat(socketPath)).rejects.toMatchObject({ code: "ENOENT" });
  });

  it("replaces the socket of a killed proxy, but not that of a running one", async () => {
    const socketPath = join(home.path, "again.sock");
    const args = ["--listen", `unix://${socketPath}`];
    const killed = await start(args);
    await killed.stop("SIGKILL");
    await using proxy = await start(args);
    const second = await home.run(["proxy", ...args], {
      env: { CODEX_API_KEY: "sk-x-0123456789" },
    });
    expect(second.stderr).toContain("(EADDRINUSE)");
    expect(second.exitCode).toBe(1);
    expect((await send({ socketPath }, "/models")).status).toBe(200);
    expect(proxy.said).toHaveLength(1);
  });

  it("does not start in a folder that others can write to", async () => {
    const folder = join(home.path, "shared");
    await mkdir(folder);
    await chmod(folder, 0o777);
    const result = await home.run(["proxy", "--listen", `unix://${join(folder, "s")}`], {
      env: { CODEX_API_KEY: "sk-x-0123456789" },
    });
    expect(result.stderr).toContain("other users can write to the folder");
    expect(result.exitCode).toBe(1);
  });

  it.each([
    [["--listen", "unix://relative.sock"]],
    [["--listen", "127.0.0.1:80"]],
    [["--listen", "unix:///s", "--port", "1"]],
  ])("is a usage error as %j", async (args) => {
    expect((await home.run(["proxy", ...args])).exitCode).toBe(2);
  });
});

const canSwitchUser =
  process.platform === "linux" &&
  process.getuid?.() === 0 &&
  spawnSync("setpriv", ["--version"]).status === 0;
if (!canSwitchUser)
  console.warn("proxy: no request of another user is tried: that needs Linux, root and setpriv");

/** Runs a program as another user and returns what it prints. */
const asOtherUser = async (program: string): Promise<string> => {
  const user = ["--reuid", "12345", "--regid", "12345", "--clear-groups"];
  const args = [...user, process.execPath, "-e", program];
  const { stdout } = await promisify(execFile)("setpriv", args, { env: {} });
  return stdout.trim();
};

/** The status that another user's process gets from the proxy. */
const statusForOtherUser = (
  port: number,
  host: string,
  from: { readonly localAddress?: string; readonly localPort?: number } = {},
): Promise<string> =>
  asOtherUser(`
    const sent = require("node:http").request(
      { host: ${JSON.stringify(host)}, port: ${port}, path: "/models", headers: { host: "127.0.0.1:${port}" }, ...${JSON.stringify(from)} },
      (response) => { console.log(response.statusCode); response.resume(); },
    );
    sent.on("error", (error) => console.log(error.code));
    sent.end();`);

describe.skipIf(!canSwitchUser)(
  "root, through the link of another user to a folder of root's",
  () => {
    it.each([
      ["creates no token file", (path: string) => ["--token-file", path]],
      ["creates no socket", (path: string) => ["--listen", `unix://${path}`]],
    ])("%s", async (_, args) => {
      const [users, roots] = [
        await mkdtemp(join(home.path, "u-")),
        await mkdtemp(join(home.path, "r-")),
      ];
      await symlink(roots, join(users, "link"));
      await lchown(join(users, "link"), 12_345, 12_345);
      await chown(users, 12_345, 12_345);
      const result = await home.run(["proxy", ...args(join(users, "link", "new"))], {
        env: { CODEX_API_KEY: "sk-provider-key-0123456789" },
      });
      expect(result.stderr).toContain(
        "user 12345, who controls the path, may not write what is there",
      );
      expect([result.exitCode, await readdir(roots)]).toEqual([1, []]);
    });
  },
);

describe.skipIf(!canSwitchUser)("another user of the machine", () => {
  it.each(["127.0.0.1", "::ffff:127.0.0.1"])("is kept out on %s", async (host) => {
    await using proxy = await start();
    expect(await statusForOtherUser(proxy.port, host)).toBe("403");
    expect(seen).toEqual([]);
    expect(await proxy.logged(/CLI_PROXY_OTHER_USER/u)).toContain(" GET /models 403 ");
    expect((await send({ port: proxy.port }, "/models")).status).toBe(200);
  });

  it("is kept out if the connection is closed before the request is read", async () => {
    await using proxy = await start();
    const text = `GET /models HTTP/1.1\\r\\nHost: 127.0.0.1:${proxy.port}\\r\\n\\r\\n`;
    await asOtherUser(`
      for (let sent = 0; sent < 10; sent++) {
        const client = require("node:net").connect(${proxy.port}, "127.0.0.1", () => {
          client.write("${text}", () => client.destroy());
        });
      }`);
    await expect
      .poll(() => proxy.log.filter((line) => line.includes("CLI_PROXY_OTHER_USER")).length)
      .toBe(10);
    expect(seen).toEqual([]);
  });

  it("is kept out on the port of a client of ours, at another loopback address", async () => {
    const ours = connect(proxy.port, "127.0.0.1");
    await new Promise((resolve) => ours.once("connect", resolve));
    const { localPort = 0 } = ours;
    // Which of two connections the table lists first depends on their addresses.
    const statuses = await Promise.all(
      [2, 3, 4, 5, 6, 7].map((last) =>
        statusForOtherUser(proxy.port, "127.0.0.1", { localAddress: `127.0.0.${last}`, localPort }),
      ),
    );
    ours.destroy();
    expect(statuses).toEqual(["403", "403", "403", "403", "403", "403"]);
    expect(seen).toEqual([]);
  });

  it("may connect with --allow-other-users", async () => {
    await using proxy = await start(["--allow-other-users"]);
    expect(await statusForOtherUser(proxy.port, "127.0.0.1")).toBe("200");
  });
});

describe("health checks", () => {
  it("answer while the proxy serves and can sign, without asking the provider", async () => {
    const file = join(home.path, "health-token");
    await using proxy = await start(["--token-file", file]);
    for (const path of ["/healthz", "/readyz"]) {
      const answer = await send({ port: proxy.port }, path);
      expect([path, answer.status, JSON.parse(answer.body)]).toEqual([path, 200, { status: "ok" }]);
    }
    const page = await send({ port: proxy.port }, "/healthz", { origin: "https://evil.example" });
    expect(page.status).toBe(403);
    expect(seen).toEqual([]);
  });

  it("answer 503 on /readyz once the stored sign-in is gone", async () => {
    await using signedIn = await CliHome.make(
      `openai_base_url = "http://127.0.0.1:${portOf(upstream)}/v1"\n`,
    );
    await signedIn.run(["login", "--with-api-key"], { stdin: "sk-stored-0123456789" });
    await using proxy = await RunningProxy.start(signedIn);
    const to = { port: proxy.port };
    expect((await send(to, "/readyz")).status).toBe(200);
    await signedIn.run(["logout"]);
    await expect
      .poll(async () => (await send(to, "/readyz")).status, { timeout: 10_000, interval: 200 })
      .toBe(503);
    expect(codeOf(await send(to, "/readyz"))).toBe("PROVIDER_SIGN_IN_REQUIRED");
    expect((await send(to, "/healthz")).status).toBe(200);
  });
});

describe("a rejected upgrade with an endless body", () => {
  it("is read no faster than the client reads", async () => {
    let written = 0;
    const sockets = new Set<Socket>();
    const flood = createTcpServer((socket) => {
      sockets.add(socket);
      socket.on("error", () => {});
      socket.once("data", () => {
        socket.write("HTTP/1.1 403 Forbidden\r\ntransfer-encoding: chunked\r\n\r\n");
        const chunk = Buffer.from(`10000\r\n${"x".repeat(0x10000)}\r\n`);
        const fill = () => {
          while (written < 512 * 1024 * 1024) {
            written += chunk.byteLength;
            if (!socket.write(chunk)) return void socket.once("drain", fill);
          }
        };
        fill();
      });
    });
    await new Promise<void>((resolve) => flood.listen(0, "127.0.0.1", resolve));
    await using slow = await CliHome.make(
      `openai_base_url = "http://127.0.0.1:${portOf(flood)}/v1"\n`,
    );
    await using proxy = await RunningProxy.start(slow, [], { CODEX_API_KEY: "sk-x-0123456789" });
    const client = connect(proxy.port, "127.0.0.1");
    client.write(
      `GET /a HTTP/1.1\r\nHost: 127.0.0.1:${proxy.port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: eA==\r\nSec-WebSocket-Version: 13\r\n\r\n`,
    );
    await new Promise((resolve) => client.once("data", resolve));
    client.pause();
    // The upstream's writes come to rest once every buffer on the way is full.
    let before = -1;
    await expect
      .poll(
        () => {
          const isAtRest = written === before;
          before = written;
          return isAtRest;
        },
        { timeout: 20_000, interval: 300 },
      )
      .toBe(true);
    expect(written).toBeLessThan(64 * 1024 * 1024);
    client.destroy();
    for (const socket of sockets) socket.destroy();
    flood.close();
  });
});
