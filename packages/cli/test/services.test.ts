import { describe, expect, it } from "vitest";
import { readFileSync } from "node:fs";
import { isAbsolute } from "node:path";
import { parseInvocation } from "../src/argv/parse.ts";
import { spec } from "../src/commands/keep/spec.ts";

const page = readFileSync(new URL("../../../docs/keep-fresh.md", import.meta.url), "utf8");

/** The only code block of a language. */
const blockOf = (language: string): string => {
  const blocks = Array.from(
    page.matchAll(/^```(\w+)\n([^]*?)^```$/gm),
    ([, of, text]) => [of, text] as const,
  ).filter(([of]) => of === language);
  expect(blocks).toHaveLength(1);
  return blocks[0]?.[1] ?? "";
};

type Value = string | boolean | ReadonlyArray<Value> | { readonly [key: string]: Value };

/**
 * Reads a property list in XML by Apple's document type, as far as the page uses it, and fails for everything else. No Mac
 * and no `plutil` is needed.
 */
const parsePropertyList = (xml: string): Value => {
  const [, body = ""] =
    /^<\?xml version="1\.0" encoding="UTF-8"\?>\n<!DOCTYPE plist PUBLIC "-\/\/Apple\/\/DTD PLIST 1\.0\/\/EN" "http:\/\/www\.apple\.com\/DTDs\/PropertyList-1\.0\.dtd">\n<plist version="1\.0">([^]*)<\/plist>\s*$/.exec(
      xml,
    ) ?? [];
  const parts = body.match(/<[^>]*>|[^<]+/g)?.map((part) => part.trim()) ?? [];
  const pending = parts.filter((part) => part !== "");
  const next = (expected?: string): string => {
    const part = pending.shift() ?? "";
    if (expected !== undefined) expect(part).toBe(expected);
    return part;
  };
  const textUntil = (end: string): string => {
    const text = next();
    next(end);
    return text;
  };
  const value = (): Value => {
    switch (next()) {
      case "<string>":
        return textUntil("</string>");
      case "<true />":
        return true;
      case "<false />":
        return false;
      case "<array>": {
        const found: Array<Value> = [];
        while (pending[0] !== "</array>") found.push(value());
        next();
        return found;
      }
      case "<dict>": {
        const found: Record<string, Value> = {};
        while (pending[0] !== "</dict>") {
          next("<key>");
          const key = textUntil("</key>");
          expect(Object.keys(found)).not.toContain(key);
          found[key] = value();
        }
        next();
        return found;
      }
      default:
        throw new Error("not an element of a property list");
    }
  };
  const found = value();
  expect(pending).toEqual([]);
  return found;
};

/** Fails unless these are the words of `agent-auth keep`. */
const expectKeep = ([name, ...words]: ReadonlyArray<string>): void => {
  expect([name]).toEqual(spec.path);
  parseInvocation(spec, words);
};

describe("the services of docs/keep-fresh.md", () => {
  it("the launchd agent is a property list with keys of launchd.plist(5), which starts keep", () => {
    const agent = parsePropertyList(blockOf("xml"));
    expect(agent).toEqual({
      Label: "agent-auth-keep",
      ProgramArguments: [expect.stringMatching(/^\//), "keep", "--wait"],
      EnvironmentVariables: { PATH: expect.stringMatching(/^(?:\/[^:]+:?)+$/) },
      RunAtLoad: true,
      KeepAlive: true,
      StandardErrorPath: expect.stringMatching(/^\//),
    });
    expectKeep(["keep", "--wait"]);
  });

  it("the systemd unit has sections and keys that systemd knows, and starts keep", () => {
    const lines = blockOf("ini").trim().split("\n");
    const keys = lines.filter((line) => line !== "").map((line) => line.replace(/=.*/, ""));
    expect(keys).toEqual([
      "[Unit]",
      "Description",
      "After",
      "[Service]",
      "ExecStart",
      "Restart",
      "RestartSec",
      "[Install]",
      "WantedBy",
    ]);
    const command = lines.find((line) => line.startsWith("ExecStart=")) ?? "";
    const [program = "", ...words] = command.replace("ExecStart=", "").split(" ");
    expect(isAbsolute(program.replace("%h", "/home/ada"))).toBe(true);
    expectKeep(words);
  });

  it.each([
    ["an unknown element", "<integer>1</integer>", "not an element"],
    ["a key twice", "<dict><key>a</key><true /><key>a</key><true /></dict>", "to not include 'a'"],
    ["an element that is not closed", "<dict><key>a</key><string>x</dict>", "'</string>'"],
  ])("a property list with %s would not pass", (_, body, why) => {
    const [head = ""] = blockOf("xml").split("<dict>");
    expect(() => parsePropertyList(`${head}${body}</plist>\n`)).toThrow(why);
  });
});
