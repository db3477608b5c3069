import { describe, expect, it } from "vitest";
import { addressOf } from "../src/http/request-log.ts";
import { errorLine, exitCodeOf } from "../src/errors/report.ts";
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
  it("keeps a server's text on one line and disarms terminal sequences", () => {
    expect(printable("a\r\nb\u001b[31mred\u0007\u202eevil")).toBe("a b�[31mred��evil");
    expect(printable("a\u061cb\u009bc")).toBe("a�b�c");
  });
});

describe("jsonText", () => {
  it("escapes what JSON leaves and terminals obey: C1 controls, DEL, and changes of direction", () => {
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

describe("untilText", () => {
  const now = Date.UTC(2026, 3, 13, 12);
  it.each([
    [now + 59_999, "2026-04-13T12:00:59Z (in 59 seconds)"],
    [now + 60_000, "2026-04-13T12:01:00Z (in 1 minute)"],
    [now - 2 * 3_600_000, "2026-04-13T10:00:00Z (2 hours ago)"],
    [now + 49 * 3_600_000, "2026-04-15T13:00:00Z (in 2 days)"],
    [Number.NaN, "at an unknown time"],
  ])("tells %d", (ms, text) => {
    expect(timeText(ms, now)).toBe(text);
  });
});

describe("errorLine", () => {
  it("is one line: what happened, then what to do", () => {
    const error = { code: "X", message: "the disk\nis full", hint: "Make room." };
    expect(errorLine("Error logging in", error)).toBe(
      "Error logging in: the disk is full. Make room.",
    );
  });

  it("turns a operation into a command", () => {
    const error = { code: "X", message: "token expired", hint: "Sign in again." };
    expect(errorLine("Error", error)).toBe("Error: token expired. Run: agent-auth login");
  });

  it.each([
    ["Correct or remove it, then sign in again.", "Run: agent-auth login"],
    ["Stop that program, or sign in with a device code.", "Run: agent-auth login --device-auth"],
    ["Sign in again with a valid agent identity.", "Run: agent-auth login --with-agent-identity"],
    ["Check the network, then try again.", "Run: agent-auth doctor"],
  ])("adds the command that does a part of %j", (hint, command) => {
    expect(errorLine("Error", { code: "X", message: "it broke", hint })).toBe(
      `Error: it broke. ${hint} ${command}`,
    );
  });

  it("leaves out a way that no command has", () => {
    const hint = "Use https in openai_base_url, or allow plain http explicitly.";
    expect(errorLine("Error", { code: "X", message: "it broke", hint })).toBe(
      "Error: it broke. Use https in openai_base_url.",
    );
  });

  it("leaves a operation alone that is another program's", () => {
    const hint = "Sign in again in the program that supplies these tokens.";
    expect(errorLine("Error", { code: "X", message: "it broke", hint })).toBe(
      `Error: it broke. ${hint}`,
    );
  });

  it("leaves texts alone that are whole sentences", () => {
    const error = { code: "CLI_INPUT_EMPTY", message: "No API key provided via stdin." };
    expect(errorLine("Error logging in", error)).toBe("No API key provided via stdin.");
  });
});

describe("exitCodeOf", () => {
  it("is 4 where only a sign-in helps, else 1, unless the error says", () => {
    expect(exitCodeOf({ code: "LOGIN_NOT_SIGNED_IN", message: "" })).toBe(4);
    expect(exitCodeOf({ code: "LOGIN_REFRESH_FAILED", message: "" })).toBe(1);
    expect(exitCodeOf({ code: "X", message: "", exitCode: 2 })).toBe(2);
  });
});

describe("framesOf", () => {
  it("tells where an error was made, and nothing of its message", () => {
    const message = "sk-canary\n    at sk-canary (looks like a frame)";
    const frames = stackFrames(new TypeError(message));
    expect(frames[0]).toMatch(/^ {4}at .*terminal\.test/u);
    expect(frames.join("\n")).not.toContain("canary");
  });

  it("tells nothing where it cannot find the end of the message", () => {
    const error = new Error("another");
    error.stack = "Error: sk-canary\n    at sk-canary\n    at place:1:1";
    expect(stackFrames(error)).toEqual([]);
  });

  it("needs no message", () => {
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
