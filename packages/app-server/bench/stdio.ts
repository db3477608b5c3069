// account/read per second on a warm manager over stdio, against an echo that parses and answers the same lines. 64 requests
// are in flight. Short rounds of the servers alternate, and the best quarter of each counts.
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";
import type { makeBench } from "@agent-auth/tools/bench";
import type { Codex } from "./codex.ts";

const inFlight = 64;
const batches = 32;
const rounds = 60;

const initialize = `${JSON.stringify({
  id: 0,
  method: "initialize",
  params: { clientInfo: { name: "bench", version: "1" } },
})}\n`;
const batch = Array.from(
  { length: inFlight },
  (_, id) => `{"id":${id + 1},"method":"account/read","params":{}}\n`,
).join("");

export const serverScript = join(import.meta.dirname, "server.ts");
export const nodeArgs = ["--expose-gc", "--conditions=@agent-auth/source"];

/** A server on stdio that was initialized and has read the account. */
const start = async (child: ChildProcessByStdio<Writable, Readable, null>) => {
  let lines = 0;
  let text: string | undefined = "";
  const waiting: (() => void)[] = [];
  child.stdout.on("data", (chunk: Buffer) => {
    for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, at + 1)) lines += 1;
    if (text !== undefined) text += chunk.toString();
    for (const resolve of waiting.splice(0)) resolve();
  });
  const until = async (isDone: () => boolean) => {
    while (!isDone()) await new Promise<void>((resolve) => waiting.push(resolve));
  };
  child.stdin.write(initialize);
  await until(() => lines > 0);
  child.stdin.write('{"id":1,"method":"account/read","params":{}}\n');
  const answer = /^\{"id":1,.*$/mu;
  await until(() => answer.test(text ?? "") && text?.endsWith("\n") === true);
  const read = answer.exec(text)?.[0] ?? "";
  text = undefined;
  const perSecond = async (): Promise<number> => {
    const from = performance.now();
    for (let sent = 0; sent < batches; sent++) {
      const wanted = lines + inFlight;
      child.stdin.write(batch);
      await until(() => lines >= wanted);
    }
    return (batches * inFlight * 1000) / (performance.now() - from);
  };
  const stop = async () => {
    const closed = once(child, "close");
    child.kill();
    await closed;
  };
  return { perSecond, stop, read };
};

const best = (rates: readonly number[]): number => {
  const fastest = rates.toSorted((a, b) => b - a).slice(0, Math.max(1, rates.length >> 2));
  return fastest.reduce((sum, rate) => sum + rate, 0) / fastest.length;
};

export const benchStdio = async (
  bench: ReturnType<typeof makeBench>,
  home: string,
  codex: Codex,
): Promise<void> => {
  const node = (kind: string, env: Readonly<Record<string, string>> = {}) =>
    spawn(process.execPath, [...nodeArgs, serverScript, kind], {
      env: { ...process.env, CODEX_HOME: home, ...env },
      stdio: ["pipe", "pipe", "inherit"],
    });
  const account = await start(node("account"));
  const { result }: { result: unknown } = JSON.parse(account.read);
  const echo = await start(node("echo", { BENCH_RESULT: JSON.stringify(result) }));
  const other = "missing" in codex ? undefined : await start(codex.start());
  const [ours, echoes, theirs]: number[][] = [[], [], []];
  for (let round = 0; round < rounds; round++) {
    ours?.push(await account.perSecond());
    echoes?.push(await echo.perSecond());
    if (round % 4 === 0 && other !== undefined) theirs?.push(await other.perSecond());
  }
  const [own, bare] = [best(ours ?? []), best(echoes ?? [])];
  bench.record(
    "account/read per second over stdio",
    `${own.toFixed(0)} (${(own / bare).toFixed(2)} × an echo's ${bare.toFixed(0)})`,
    "≥ 20000, or ≥ 0.5 ×",
    own >= 20_000 || own / bare >= 0.5,
  );
  if (other !== undefined) {
    const rate = best(theirs ?? []);
    const ratio = own / rate;
    const figure = `${ratio.toFixed(1)} (theirs ${rate.toFixed(0)})`;
    bench.record("the same ÷ codex app-server 0.171", figure, "≥ 1", ratio >= 1);
  }
  for (const server of [account, echo, other]) await server?.stop();
};
