import { describe, expect, it } from "vitest";
import { parseDotEnv } from "../src/config/dot-env.ts";

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
    expect(parseDotEnv(text, { SET: "yes" })["A"]).toBe(expected);
  });

  it("reads names that every object inherits as its own", () => {
    const found = parseDotEnv("__proto__=a\nconstructor=b\n", {});
    expect(Object.entries(found)).toEqual([
      ["__proto__", "a"],
      ["constructor", "b"],
    ]);
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
