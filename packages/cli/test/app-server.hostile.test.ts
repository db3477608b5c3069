import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { describe, expect, it } from "vitest";
import { CliHome } from "./support/cli.ts";

const MIB = 1024 * 1024;

/** The most memory that a process has used, in MiB. */
const peakOf = (pid: number | undefined): number =>
  Number(/^VmHWM:\s+(\d+) kB$/mu.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024;

const line = (id: number): string =>
  `${JSON.stringify({ id, method: "initialize", params: { clientInfo: { name: "a", version: "1" } } })}\n`;

if (process.platform !== "linux")
  console.log("skipped, memory of the app server: only Linux reports the peak of another process");

describe.skipIf(process.platform !== "linux")("app-server on stdio with a hostile client", () => {
  it.each([
    ["one line of 1 GiB", Buffer.alloc(MIB, 0x20), 1024],
    [
      "1 GiB in lines of 1 MiB",
      Buffer.concat([Buffer.alloc(MIB - 1, 0x20), Buffer.from("\n")]),
      1024,
    ],
    ["a million lines that are not UTF-8", Buffer.from("ff0a".repeat(10_000), "hex"), 100],
    ["200,000 lines that are not JSON", Buffer.from("{\n".repeat(10_000)), 20],
    ["a million answers to nothing", Buffer.from('{"id":1,"result":1}\n'.repeat(10_000)), 100],
  ])("answers after %s, and its memory stays bounded", async (_, part, count) => {
    await using home = await CliHome.make();
    const child = home.spawn(["app-server"]);
    child.stderr.resume();
    const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
    child.stdin.write(line(1));
    await lines.next();
    const before = peakOf(child.pid);
    for (let sent = 0; sent < count; sent++)
      if (!child.stdin.write(part)) await once(child.stdin, "drain");
    child.stdin.write(`\n${line(2)}`);
    const answers: string[] = [];
    while (!answers.at(-1)?.includes('"id":2')) {
      const { done, value = "" } = await lines.next();
      if (done === true) break;
      answers.push(value);
    }
    expect(answers.at(-1)).toContain('"message":"Already initialized"');
    expect(peakOf(child.pid) - before).toBeLessThan(128); // what was read is garbage until V8 collects it
    const exit = once(child, "close");
    child.stdin.end();
    expect(await exit).toEqual([0, null]);
  });
});
