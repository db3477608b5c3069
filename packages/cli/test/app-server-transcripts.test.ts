// Replays what was recorded of `codex app-server` 0.171 against the built command: framing, transports, authentication of
// the listener, start-up errors and exit codes. packages/app-server replays the account flows.
import { readFileSync } from "node:fs";
import { lstat, readdir, writeFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  type AppServerClient,
  connectClient,
  makeInbox,
  plainRequest,
  RunningAppServer,
  upgradeOnly,
  upgradeRequest,
} from "./support/app-server.ts";
import { CliHome } from "./support/cli.ts";

interface Exchange {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly status: number;
  readonly body?: string;
}

interface TranscriptEvent {
  readonly conn?: string;
  readonly dir?: "<" | ">";
  readonly msg?: unknown;
  readonly raw?: string;
  readonly closed?: boolean;
  readonly upgrade?: Exchange;
  readonly http?: Exchange & { readonly method: string };
  readonly note?: string;
  readonly value?: unknown;
}

interface Transcript {
  readonly servers: readonly { readonly args: readonly string[] }[];
  readonly events: readonly TranscriptEvent[];
}

const folder = join(import.meta.dirname, "../../app-server/test/transcripts");

const isTranscript = (value: unknown): value is Transcript =>
  typeof value === "object" && value !== null && "events" in value && "servers" in value;

const load = (name: string): Transcript => {
  const value: unknown = JSON.parse(readFileSync(join(folder, `${name}.json`), "utf8"));
  if (!isTranscript(value)) throw new Error(`${name} is not a transcript`);
  return value;
};

/** What differs from Codex on purpose in every answer: more members, other names. */
const expected = (message: unknown): unknown =>
  JSON.parse(JSON.stringify(message), (key, value: unknown) => {
    if (key === "userAgent") return expect.stringMatching(/^lab\/\S+ \(.+\) .+ \(lab; 1\.0\)$/u);
    if (["codexHome", "emittedAtMs", "installationId", "serverName"].includes(key))
      return expect.anything();
    if (key === "loginId" && value !== null) return expect.any(String);
    if (key === "authUrl")
      return expect.stringMatching(
        /^https:\/\/auth\.openai\.com\/oauth\/authorize\?.*originator=lab/u,
      );
    if (typeof value === "string" && value.includes("<the list of all methods>"))
      return expect.stringContaining(value.split("<")[0] ?? "");
    return value;
  });

const idOf = (message: unknown): string | number | undefined =>
  typeof message === "object" &&
  message !== null &&
  "id" in message &&
  (typeof message.id === "string" || typeof message.id === "number")
    ? message.id
    : undefined;

/** Sends what the recorded client sent, and compares every answer. Notifications may come at any place between answers. */
const replayMessage = async (client: AppServerClient, event: TranscriptEvent): Promise<void> => {
  const { dir, msg, raw } = event;
  if (dir === ">") return client.send(raw ?? JSON.stringify(msg));
  const id = idOf(msg);
  if (id === undefined) {
    await expect.poll(() => client.received, { timeout: 10_000 }).toContainEqual(expected(msg));
    return undefined;
  }
  expect(await client.answerTo(id)).toMatchObject(Object(expected(msg)));
};

/** Every message that the recording has is accounted for: nothing was sent beyond it. */
const expectNothingElse = (
  client: AppServerClient,
  events: readonly TranscriptEvent[],
  conn: string,
) => {
  const wanted = events.filter((one) => one.conn === conn && one.dir === "<");
  expect(client.received).toHaveLength(wanted.length);
};

describe("on stdio, as recorded:", () => {
  it.each(["01-initialize", "27-opt-out", "28-stdio-eof"])("%s", async (name) => {
    const { events } = load(name);
    await using home = await CliHome.make();
    const child = home.spawn(["app-server"]);
    const exit = new Promise<number | null>((resolve) => child.once("close", resolve));
    const { add, ...inbox } = makeInbox();
    createInterface(child.stdout).on("line", add);
    const client = {
      ...inbox,
      send: (text: string) => child.stdin.write(`${text}\n`),
      close: () => child.stdin.end(),
    };
    for (const event of events) if (event.dir !== undefined) await replayMessage(client, event);
    expectNothingElse(client, events, "A");
    const startMs = performance.now();
    client.close();
    expect(await exit).toBe(0);
    expect(performance.now() - startMs).toBeLessThan(2000);
  });
});

const ours = (args: readonly string[], labFolder: string): readonly string[] => {
  const replaced = args
    .slice(1)
    .map((word) =>
      word.replace(/^ws:\/\/127\.0\.0\.1:\d+$/u, "ws://127.0.0.1:0").replace("$LAB", labFolder),
    );
  // Deliberately different: here a listener is open only if that was asked for.
  return replaced.includes("--ws-auth") ? replaced : [...replaced, "--ws-auth", "none"];
};

/** Replays the connections of a recording against one running server. */
const replayConnections = async (server: RunningAppServer, events: readonly TranscriptEvent[]) => {
  const clients = new Map<string, AppServerClient>();
  const { target } = server;
  for (const [at, { conn = "", http, upgrade, closed, ...event }] of events.entries()) {
    if (http !== undefined) {
      const { body, headers, method, path, status } = http;
      expect(await plainRequest(target, method, path, headers)).toEqual({ status, body });
    }
    if (upgrade !== undefined) {
      const { body = "", headers, path, status } = upgrade;
      const isUsed = events[at + 1]?.conn === conn && events[at + 1]?.dir === ">";
      if (isUsed) clients.set(conn, await connectClient(target, path, headers));
      else expect(await upgradeOnly(target, path, headers)).toEqual({ status, body });
    }
    const client = clients.get(conn);
    if (client === undefined) continue;
    if (event.dir !== undefined) await replayMessage(client, event);
    if (closed === true) {
      expectNothingElse(client, events, conn);
      client.close();
    }
  }
};

describe("with WebSockets, as recorded:", () => {
  it.each(["30-ws-transport", "31-ws-auth-capability-file", "32-ws-auth-sha256"])(
    "%s",
    async (name) => {
      const { events, servers } = load(name);
      await using home = await CliHome.make();
      await writeFile(join(home.path, "tok"), "secret-token-1\n", { mode: 0o600 });
      const [first] = servers;
      await using server = await RunningAppServer.start(home, ours(first?.args ?? [], home.path));
      const { target } = server;
      const port = "port" in target ? target.port : 0;
      await replayConnections(server, events);
      expect(server.lines.slice(0, 5)).toEqual([
        "agent-auth app-server (WebSockets)",
        `  listening on: ws://127.0.0.1:${port}`,
        `  readyz: http://127.0.0.1:${port}/readyz`,
        `  healthz: http://127.0.0.1:${port}/healthz`,
        "  note: binds localhost only (use SSH port-forwarding for remote access)",
      ]);
      expect(await server.stop()).toBe(0);
    },
  );
});

const isRefusal = (
  value: unknown,
): value is { args?: string[]; listen?: string; exit: { code: number }; stderr: string } =>
  typeof value === "object" && value !== null && "stderr" in value && "exit" in value;

const refusals = ["32-ws-auth-sha256", "34-ws-non-loopback"].flatMap((name) =>
  load(name).events.flatMap(({ value }) => {
    if (!isRefusal(value)) return [];
    const { args = [], exit, listen = "ws://127.0.0.1:0", stderr } = value;
    // The log of Codex comes before its error.
    const text = stderr.split("\n").find((line) => /^error/iu.test(line)) ?? "";
    const title = [`--listen ${listen}`, ...args].join(" ");
    return [{ title, words: ["--listen", listen, ...args], code: exit.code, text }];
  }),
);

describe("start-up is refused as recorded:", () => {
  it.concurrent.each(refusals)("$title", async ({ words, code, text }) => {
    await using home = await CliHome.make();
    const ended = await home.run(["app-server", ...words]);
    expect(ended.exitCode).toBe(code);
    expect(ended.stdout).toBe("");
    // Two texts differ: the reason of the operating system, and the possible modes, of which there is one more.
    const common = text
      .replace(/ \$LAB.*$/u, " ")
      .replace(
        /^error: invalid value 'nope' for '--ws-auth.*$/u,
        "error: --ws-auth takes capability-token, signed-bearer-token, none",
      );
    expect(ended.stderr.startsWith(common)).toBe(true);
  });

  it("on all addresses without authentication", async () => {
    await using home = await CliHome.make();
    const { exitCode, stderr } = await home.run(["app-server", "--listen", "ws://0.0.0.0:4752"]);
    expect(exitCode).toBe(1);
    const recorded = load("34-ws-non-loopback").events.find(({ note }) => note === "stderr")?.value;
    expect(String(recorded).endsWith(stderr)).toBe(true);
  });
});

const mode = async (of: string) => ((await lstat(of)).mode & 0o777).toString(8);

describe("on a Unix socket, as recorded:", () => {
  it("35-unix-socket", async () => {
    const { events } = load("35-unix-socket");
    await using home = await CliHome.make();
    await using server = await RunningAppServer.start(home, ["--listen", "unix://"]);
    const path = "socketPath" in server.target ? server.target.socketPath : "";
    expect(path).toBe(join(home.path, "app-server-control/app-server-control.sock"));
    expect({
      dir: await mode(dirname(path)),
      socket: await mode(path),
      files: await readdir(dirname(path)),
    }).toEqual(events[0]?.value);
    await replayConnections(server, events);

    const second = await home.run(["app-server", "--listen", "unix://"]);
    expect(second.exitCode).toBe(1);
    expect(second.stderr).toContain(
      `Error: app-server control socket is already in use at ${path}`,
    );

    const proxy = home.spawn(["app-server", "proxy"]);
    proxy.stdin.write(upgradeRequest("/"));
    const [answer]: Buffer[] = await new Promise((resolve) =>
      proxy.stdout.once("data", (data: Buffer) => resolve([data])),
    );
    expect(answer?.toString().split("\r\n")[0]).toBe("HTTP/1.1 101 Switching Protocols");
    const proxyExit = new Promise((resolve) => proxy.once("close", resolve));

    expect(await server.stop()).toBe(0);
    expect(await proxyExit).toBe(0);
    expect(await readdir(dirname(path))).toEqual(["app-server-startup.lock"]);
  });
});
