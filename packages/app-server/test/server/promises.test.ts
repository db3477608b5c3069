import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { describe, expect, it } from "vitest";
import { ControlSocketInUse, ListenerWithoutAuth } from "../../src/errors/index.ts";
import {
  serveStdioClient,
  startUnixSocketListener,
  startWebSocketListener,
} from "../../src/promises/index.ts";
import { makeMethods } from "../support/methods.ts";
import { Client, plain } from "../support/sockets.ts";

const auth = { _tag: "None" } as const;

describe("with Promises", () => {
  it("a WebSocket listener serves until it is closed", async () => {
    const { open } = makeMethods();
    const listener = await startWebSocketListener({ open, host: "127.0.0.1", port: 0, auth });
    using client = await Client.open(listener);
    client.send({ id: 1, method: "echo", params: 5 });
    expect(await client.received(1)).toEqual(['{"id":1,"result":5}']);
    await listener.close();
    await expect(plain(listener, "/readyz")).rejects.toMatchObject({ code: "ECONNREFUSED" });
  });

  it("a listener that cannot be opened rejects with the error of the Effect", async () => {
    const { open } = makeMethods();
    const refused = startWebSocketListener({ open, host: "0.0.0.0", port: 0, auth });
    await expect(refused).rejects.toBeInstanceOf(ListenerWithoutAuth);
    const path = join(mkdtempSync(join(tmpdir(), "aa-sock-")), "s");
    await using first = await startUnixSocketListener({ open, path });
    await expect(startUnixSocketListener({ open, path })).rejects.toBeInstanceOf(
      ControlSocketInUse,
    );
    expect((await plain({ socketPath: first.path }, "/readyz")).status).toBe(200);
  });

  it("a client on stdio is served until its input ends", async () => {
    const { open } = makeMethods();
    const input = new PassThrough();
    const output = new PassThrough();
    input.end('{"id":1,"method":"echo","params":5}\n');
    await serveStdioClient({ open, input, output });
    expect(String(output.read())).toBe('{"id":1,"result":5}\n');
  });
});
