// The servers that are measured, each in its own process, so that its work and memory are its own: `echo` answers
// each line with a constant, `account` is the real thing, over stdio or, with `ws`, on a port that it sends to its parent.
import { openAccountService } from "../src/promises/index.ts";
import { handleAccountMethods } from "../src/methods/index.ts";
import { listenOnWebSocket, type OpenConnection, serveStdio } from "../src/server/index.ts";
import * as Effect from "effect/Effect";
import * as Scope from "effect/Scope";

const [kind, transport] = process.argv.slice(2);

/** As little as a JSON-RPC server can do: every line is parsed, and answered with a result as long as the real one. */
const echo = () => {
  const result: unknown = JSON.parse(process.env["BENCH_RESULT"] ?? "{}");
  let rest = "";
  process.stdin.setEncoding("utf8");
  process.stdin.on("data", (chunk: string) => {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop() ?? "";
    let answers = "";
    for (const line of lines) {
      const { id }: { id: unknown } = JSON.parse(line);
      answers += `${JSON.stringify({ id, result })}\n`;
    }
    process.stdout.write(answers);
  });
  process.stdin.on("end", () => process.exit());
};

const account = async () => {
  const service = await openAccountService();
  const open: OpenConnection = (client) => handleAccountMethods(service, client);
  if (transport !== "ws") {
    await Effect.runPromise(serveStdio({ open }));
    process.exit();
  }
  const auth = { _tag: "None" } as const;
  const listening = listenOnWebSocket({ open, host: "127.0.0.1", port: 0, auth });
  const { port } = await Effect.runPromise(Scope.provide(listening, Scope.makeUnsafe()));
  process.on("message", () => {
    globalThis.gc?.();
    const { arrayBuffers, external, heapUsed, rss } = process.memoryUsage();
    process.send?.([rss, heapUsed + external + arrayBuffers]);
  });
  process.on("disconnect", () => process.exit());
  process.send?.(port);
};

if (kind === "echo") echo();
else await account();
