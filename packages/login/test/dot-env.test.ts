import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as Effect from "effect/Effect";
import { describe, expect, it } from "vitest";
import { loadEnvironment } from "../src/config/environment.ts";
import { loadConfig } from "../src/config/index.ts";
import { parseDotEnv } from "../src/config/dot-env.ts";

/** `A0` has one character, and each further variable twice as many as the one before. */
const doubling = (lines: number): string =>
  ["A0=x", ...Array.from({ length: lines }, (_, at) => `A${at + 1}=$A${at}$A${at}`)].join("\n");

describe("parseDotEnv", () => {
  // The first eight were read by Codex 0.163 in the same way.
  it.each([
    ["# comment\nA=plain", "plain"],
    ["A=plain #comment", "plain"],
    ["export A=exported", "exported"],
    ['A="quoted $ACME_KEY and ${SET}"', "quoted _KEY and yes"],
    ["A='single $SET'", "single $SET"],
    ['A="multi\nline"', "multi\nline"],
    ["bad line here\nA=next", "next"],
    ["A=plain#not a comment", undefined],
    ["A=plain#no-comment", "plain#no-comment"],
    ["A=", ""],
    ["A= # nothing", ""],
    ["  A \t=  spaced  ", "spaced"],
    ["A=one\r\nB=two\r\n", "one"],
    ["A=first\nA=second", "second"],
    ["B=b\nA=${B}c", "bc"],
    ["A=$SET", "yes"],
    ["A=$NOT", ""],
    ["A=$$SET", "yes"],
    ["A=\\$SET", "$SET"],
    ["A=a\\ b", "a b"],
    ['A="a\\nb\\"c\\\\"', 'a\nb"c\\'],
    ["A=pre'mid'\"post\"", "premidpost"],
    ["A='#'", "#"],
    ["export=1\nA=x", "x"],
    ["A=two words", undefined],
    ["A=\\x", undefined],
    ["A=${OPEN", undefined],
    ['A="open\nB=2', undefined],
    ["1A=x", undefined],
    ["A x", undefined],
    ["A.B=x\nA=y", "y"],
  ])("reads %j as %j", (text, expected) => {
    expect(parseDotEnv(text, { SET: "yes" })?.["A"]).toBe(expected);
  });

  it("reads names that every object inherits as its own", () => {
    const found = parseDotEnv("__proto__=a\nconstructor=b\n", {});
    expect(Object.entries(found ?? {})).toEqual([
      ["__proto__", "a"],
      ["constructor", "b"],
    ]);
  });

  it.each([
    ["lines that refer to the previous one twice", doubling(30)],
    ["many references to one long value", `L=${"x".repeat(1000)}\n${"B=$L\n".repeat(1100)}`],
    ["many references in one line", `L=${"x".repeat(1000)}\nA=${"${L}".repeat(1100)}`],
    ["references to a long variable of the process", "A=$LONG\n".repeat(11)],
  ])("reads nothing of a file that expands to more than 1 MiB: %s", (_, text) => {
    expect(parseDotEnv(text, { LONG: "x".repeat(100_000) })).toBeUndefined();
  });

  it("reads references that together have less than 1 MiB", () => {
    expect(parseDotEnv(doubling(18), {})?.["A18"]).toBe("x".repeat(2 ** 18));
  });

  it("makes loadConfig fail, with the file's name, if the file expands to more than 1 MiB", async () => {
    const home = await mkdtemp(join(tmpdir(), "dot-env-"));
    await writeFile(join(home, ".env"), `${doubling(40)}\nHTTPS_PROXY=$A40`);
    const environment = loadEnvironment({ CODEX_HOME: home });
    expect(environment.httpsProxy).toBeUndefined();
    const error = await Effect.runPromise(Effect.flip(loadConfig(environment)));
    expect(error).toMatchObject({
      code: "LOGIN_CONFIG_UNREADABLE",
      path: join(home, ".env"),
      reason: "its references to variables expand to more than 1 MiB",
    });
    await rm(home, { recursive: true });
  });

  it.each([
    ["comment signs", "#"],
    ["quotes", '"'],
    ["backslashes", "\\"],
    ["dollar signs", "$"],
    ["spaces", " "],
    ["line breaks", "\n"],
    ["open quotes on their own lines", "A='\n"],
  ])("takes time in proportion to the file: 256 KiB of %s", (_, unit) => {
    const text = `A=${unit.repeat(2 ** 18 / unit.length)}`;
    const startedAtMs = performance.now();
    parseDotEnv(text, {});
    // Quadratic time would be minutes.
    expect(performance.now() - startedAtMs).toBeLessThan(5_000);
  });
});
