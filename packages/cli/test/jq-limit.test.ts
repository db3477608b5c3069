import { describe, expect, it } from "vitest";
import { responseOutput } from "../src/commands/api/response-output.ts";

const jq = { run: (body: string) => `${body.length}\n` };
const MIB = 1024 * 1024;

describe("a response for --jq", () => {
  it("of 64 MiB is given to jq, a longer one fails at once", () => {
    const output = responseOutput({ include: false, jq });
    output.head({ status: 200, statusText: "OK" }, { "content-type": "application/json" });
    const chunk = new Uint8Array(MIB).fill(0x20);
    for (let count = 0; count < 64; count += 1) expect(output.data(chunk)).toBe("");
    expect(() => output.data(new Uint8Array(1))).toThrow(
      expect.objectContaining({
        code: "CLI_JQ_FAILED",
        message: "the response is longer than 64 MiB, which is too long for --jq",
      }),
    );
    expect(output.end("complete")).toBe(`${64 * MIB}\n`);
  });

  it("that failed is printed as it comes, however long it is", () => {
    const output = responseOutput({ include: false, jq });
    output.head({ status: 500, statusText: "" }, {});
    const chunk = new Uint8Array(MIB).fill(0x20);
    for (let count = 0; count < 100; count += 1) expect(output.data(chunk).length).toBe(MIB);
  });

  it("that breaks off prints nothing", () => {
    const output = responseOutput({ include: false, jq });
    output.head({ status: 200, statusText: "OK" }, {});
    output.data(Buffer.from("[1"));
    expect(output.end("broken")).toBe("");
  });
});
