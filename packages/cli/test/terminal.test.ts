import { describe, expect, it } from "vitest";
import { addressOf } from "../src/http/request-log.ts";
import { stackFrames } from "../src/run-main.ts";
import { mask, printable } from "../src/terminal/safe-text.ts";
import { timeText } from "../src/terminal/time.ts";
import { jsonText } from "../src/terminal/write.ts";

describe("mask", () => {
  it.each([
    ["", "***"],
    ["short", "***"],
    ["1234567890123", "***"],
    ["12345678901234", "12345678***01234"],
    ["sk-proj-1234567890ABCDE", "sk-proj-***ABCDE"],
    ["🔑".repeat(13), "***"],
    ["🔑".repeat(14), `${"🔑".repeat(8)}***${"🔑".repeat(5)}`],
  ])("masks %j as %j", (secret, masked) => {
    expect(mask(secret)).toBe(masked);
  });
});

describe("printable", () => {
  it("keeps a server's text on one line and replaces terminal sequences", () => {
    expect(printable("a\r\nb\u001b[31mred\u0007\u202eevil")).toBe("a b�[31mred��evil");
    expect(printable("a\u061cb\u009bc")).toBe("a�b�c");
  });
});

describe("jsonText", () => {
  it("escapes what JSON allows and terminals obey: C1 controls, DEL, and changes of direction", () => {
    const text = "\u007f\u0080\u009b31m\u061c\u200e\u200f\u2028\u202e\u2066\u2069 é …";
    const json = jsonText({ text });
    expect(json).toBe(
      String.raw`{
  "text": "\u007f\u0080\u009b31m\u061c\u200e\u200f\u2028\u202e\u2066\u2069 é …"
}`,
    );
    expect(JSON.parse(json)).toEqual({ text });
  });
});

describe("timeText", () => {
  const now = Date.UTC(2026, 3, 13, 12);
  it.each([
    [now + 59_999, "2026-04-13T12:00:59Z (in 59 seconds)"],
    [now + 60_000, "2026-04-13T12:01:00Z (in 1 minute)"],
    [now - 2 * 3_600_000, "2026-04-13T10:00:00Z (2 hours ago)"],
    [now + 49 * 3_600_000, "2026-04-15T13:00:00Z (in 2 days)"],
    [Number.NaN, "at an unknown time"],
  ])("of %d is %j", (ms, text) => {
    expect(timeText(ms, now)).toBe(text);
  });
});

describe("stackFrames", () => {
  it("say where an error was created, without its message", () => {
    const message = "sk-canary\n    at sk-canary (looks like a frame)";
    const frames = stackFrames(new TypeError(message));
    expect(frames[0]).toMatch(/^ {4}at .*terminal\.test/u);
    expect(frames.join("\n")).not.toContain("canary");
  });

  it("are none if the end of the message cannot be found", () => {
    const error = new Error("another");
    error.stack = "Error: sk-canary\n    at sk-canary\n    at place:1:1";
    expect(stackFrames(error)).toEqual([]);
  });

  it("are found without a message", () => {
    expect(stackFrames(new Error("")).length).toBeGreaterThan(0);
  });
});

describe("addressOf", () => {
  it.each([
    ["https://a.example", "/b?key=canary", "GET https://a.example/b"],
    ["http://127.0.0.1:8080", "http://a.example/b?key=canary", "GET http://a.example/b"],
  ])("of a request to %s for %s is %s", (origin, path, address) => {
    expect(addressOf({ request: { origin, path, method: "GET" } })).toBe(address);
  });
});
