import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  chownSync,
  existsSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as Effect from "effect/Effect";
import { describe, expect, it } from "vitest";
import { ControlSocketInUse, ListenFailed } from "../../src/errors/listener.ts";
import { defaultSocketPath, listenOnUnixSocket } from "../../src/server/index.ts";
import { makeMethods } from "../support/methods.ts";
import { startUnixSocket } from "../support/listening.ts";
import { Client, handshake, plain } from "../support/sockets.ts";

const makeFolder = () => mkdtempSync(join(tmpdir(), "aa-sock-"));
const modeOf = (path: string) => (lstatSync(path).mode & 0o777).toString(8);

const failure = (path: string) =>
  Effect.runPromise(
    Effect.flip(Effect.scoped(listenOnUnixSocket({ open: makeMethods().open, path }))),
  );

/** A socket whose process was killed. */
const leaveSocket = async (path: string) => {
  const script = `require("net").createServer().listen(${JSON.stringify(path)}, () => console.log("up"))`;
  const child = spawn(process.execPath, ["-e", script], { stdio: ["ignore", "pipe", "inherit"] });
  await once(child.stdout, "data");
  child.kill("SIGKILL");
  await once(child, "close");
  expect(lstatSync(path).isSocket()).toBe(true);
};

describe("a Unix socket", () => {
  it("is 0600 in a folder 0700, beside the lock file of Codex, and is removed at the end", async () => {
    const path = defaultSocketPath(makeFolder());
    const server = await startUnixSocket(path);
    const folder = join(path, "..");
    expect(modeOf(folder)).toBe("700");
    expect(modeOf(path)).toBe("600");
    expect(readdirSync(folder)).toEqual(["app-server-control.sock", "app-server-startup.lock"]);
    await server.close();
    expect(existsSync(path)).toBe(false);
  });

  it("speaks WebSocket, with any Host, and answers probes", async () => {
    await using server = await startUnixSocket(join(makeFolder(), "s"));
    using client = await Client.open(server);
    client.send({ id: 1, method: "echo", params: 5 });
    expect(await client.received(1)).toEqual(['{"id":1,"result":5}']);
    expect((await handshake(server, { Host: "x" })).status).toBe(101);
    expect((await plain(server, "/readyz")).status).toBe(200);
    expect((await handshake(server, { Origin: "http://x" })).status).toBe(403);
  });

  it("requires a token if it is told to", async () => {
    const auth = { _tag: "CapabilityToken", sha256: new Uint8Array(32) } as const;
    await using server = await startUnixSocket(join(makeFolder(), "s"), { auth });
    expect((await handshake(server)).status).toBe(401);
  });

  it("of a server that is running is in use", async () => {
    const path = join(makeFolder(), "s");
    await using server = await startUnixSocket(path);
    const error = await failure(path);
    expect(error).toBeInstanceOf(ControlSocketInUse);
    expect(error.message).toBe(`app-server control socket is already in use at ${path}`);
    using client = await Client.open(server);
    client.send({ id: 1, method: "echo" });
    expect(await client.received(1)).toHaveLength(1);
  });

  it("is opened by exactly one of five servers that start at once over an abandoned one", async () => {
    const path = join(makeFolder(), "s");
    await leaveSocket(path);
    const results = await Promise.allSettled(
      Array.from({ length: 5 }, () => startUnixSocket(path)),
    );
    const running = results.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
    expect(running).toHaveLength(1);
    expect((await plain({ socketPath: path }, "/readyz")).status).toBe(200);
    await running[0]?.close();
  });

  it("that a killed server left behind is replaced", async () => {
    const path = join(makeFolder(), "s");
    await leaveSocket(path);
    await using server = await startUnixSocket(path);
    expect((await plain(server, "/readyz")).status).toBe(200);
    expect(modeOf(path)).toBe("600");
  });

  it("is replaced if it is a link that Codex left, and in use if the link leads to a server", async () => {
    const folder = makeFolder();
    const path = join(folder, "s");
    symlinkSync(join(folder, "gone"), path);
    await (await startUnixSocket(path)).close();
    await using other = await startUnixSocket(join(folder, "other"));
    symlinkSync(other.socketPath, path);
    expect(await failure(path)).toBeInstanceOf(ControlSocketInUse);
  });

  it("does not replace a file", async () => {
    const path = join(makeFolder(), "s");
    writeFileSync(path, "text");
    const error = await failure(path);
    expect(error).toBeInstanceOf(ListenFailed);
    expect(error.message).toBe(
      `cannot listen on unix://${path}: the path exists and is not a socket`,
    );
    expect(existsSync(path)).toBe(true);
  });

  it("does not take the place of a listener that is too busy to answer", async () => {
    const path = join(makeFolder(), "s");
    const busy = createServer(() => {}).listen(path);
    await once(busy, "listening");
    expect(await failure(path)).toBeInstanceOf(ControlSocketInUse);
    busy.close();
  });

  it("in a folder that others can write to is refused", async () => {
    const folder = makeFolder();
    chmodSync(folder, 0o777);
    const error = await failure(join(folder, "s"));
    expect(error.message).toContain("other users can write to its folder");
  });

  it("narrows a control folder that was created wider", async () => {
    const path = defaultSocketPath(makeFolder());
    mkdirSync(join(path, ".."), { mode: 0o755 });
    await using _server = await startUnixSocket(path);
    expect(modeOf(join(path, ".."))).toBe("700");
  });

  it.each([
    ["a folder", (lock: string) => mkdirSync(lock), "it is a folder"],
    ["a link", (lock: string) => symlinkSync("/dev/null", lock), "it is a symbolic link"],
    ["a link to nothing", (lock: string) => symlinkSync("nothing", lock), "it is a symbolic link"],
  ])("is refused if its lock file is %s", async (_, make, reason) => {
    const path = defaultSocketPath(makeFolder());
    const lock = join(path, "..", "app-server-startup.lock");
    mkdirSync(join(path, ".."), { mode: 0o700 });
    make(lock);
    expect((await failure(path)).message).toBe(
      `cannot listen on unix://${path}: ${lock}: ${reason}`,
    );
    expect(existsSync(path)).toBe(false);
  });

  it("is opened if its lock file is a pipe without a reader", async () => {
    const path = defaultSocketPath(makeFolder());
    mkdirSync(join(path, ".."), { mode: 0o700 });
    execFileSync("mkfifo", [join(path, "..", "app-server-startup.lock")]);
    await using server = await startUnixSocket(path);
    expect((await plain(server, "/readyz")).status).toBe(200);
  });

  it("with a path that is too long is refused", async () => {
    const error = await failure(join(makeFolder(), "x".repeat(120)));
    expect(error.message).toMatch(/: the path is longer than 10[37] bytes$/u);
  });

  const isRoot = process.getuid?.() === 0;
  if (!isRoot) console.log("skipped: only root can act for another user");
  it.skipIf(!isRoot)("closes the connection of another user who could open it", async () => {
    const folder = makeFolder();
    await using server = await startUnixSocket(join(folder, "s"));
    chmodSync(folder, 0o755);
    chmodSync(server.socketPath, 0o666);
    const script = `
      const socket = require("net").connect(${JSON.stringify(server.socketPath)});
      socket.on("connect", () => socket.write("GET /readyz HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n"));
      socket.on("data", (data) => process.stdout.write(data));
      socket.on("error", (error) => process.stdout.write(error.code));
      socket.on("close", () => process.stdout.write("closed"));
    `;
    const child = spawn(process.execPath, ["-e", script], {
      uid: 65534,
      gid: 65534,
      cwd: "/",
      env: {},
      stdio: ["ignore", "pipe", "inherit"],
    });
    let output = "";
    child.stdout.on("data", (data: Buffer) => (output += data.toString()));
    await once(child, "close");
    expect(output).toMatch(/^(?:ECONNRESET|EPIPE)?closed$/u);
    rmSync(folder, { recursive: true });
  });

  describe.skipIf(!isRoot)("that root opens in the home of another user", () => {
    const user = 4321;
    const home = () => {
      const folder = makeFolder();
      chmodSync(folder, 0o755);
      chownSync(folder, user, user);
      return folder;
    };
    const refusal = /: this process is root, and user 4321 controls the path$/u;

    it("is refused, and the folder that a link of the user leads to keeps its mode", async () => {
      const folder = home();
      const target = makeFolder();
      chmodSync(target, 0o755);
      symlinkSync(target, join(folder, "app-server-control"));
      lchownSync(join(folder, "app-server-control"), user, user);
      expect((await failure(defaultSocketPath(folder))).message).toMatch(refusal);
      expect(modeOf(target)).toBe("755");
      expect(readdirSync(target)).toEqual([]);
    });

    it("is refused, and no folder is created", async () => {
      const folder = home();
      expect((await failure(defaultSocketPath(folder))).message).toMatch(refusal);
      expect(readdirSync(folder)).toEqual([]);
    });

    it("is refused in a folder of root's own that the user's home contains", async () => {
      const folder = home();
      mkdirSync(join(folder, "own"), { mode: 0o700 });
      expect((await failure(join(folder, "own", "s"))).message).toMatch(refusal);
      expect(readdirSync(join(folder, "own"))).toEqual([]);
    });
  });
});
