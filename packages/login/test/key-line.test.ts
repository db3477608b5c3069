import { parse } from "smol-toml";
import { describe, expect, it } from "vitest";
import { lineOfKey } from "../src/config/key-line.ts";

const line = (text: string, ...path: ReadonlyArray<string>) => {
  parse(text); // the search is only made in valid TOML
  return lineOfKey(text, path);
};

describe("lineOfKey", () => {
  it.each<[text: string, path: ReadonlyArray<string>, line: number | undefined]>([
    ["a = 1", ["a"], 1],
    ["\n# a = 0\na = 1", ["a"], 3],
    ["[t]\na = 1", ["a"], undefined],
    ["[t]\na = 1", ["t", "a"], 2],
    ["[ t . u ] # c\n\na = 1", ["t", "u", "a"], 3],
    ["t.u.a = 1", ["t", "u", "a"], 1],
    ["t.u.a = 1", ["t"], 1],
    ["t.u = 1", ["t", "u", "a"], undefined],
    ["[t.u]\na = 1", ["t"], 1],
    ['["a.b"]\n"c\\u0064" = 1', ["a.b", "cd"], 2],
    ["['a']\n'b' = 1", ["a", "b"], 2],
    ["t = { a = 1, b = { c = 2 } }", ["t", "b", "c"], 1],
    ["t = {\n  a = 1,\n  b = 2,\n}", ["t", "b"], 3],
    ["x = [\n  1, # a = 1\n  [2, '''\na = 1\n'''],\n]\na = 1", ["a"], 7],
    ["x = [ { a = 1 } ]\na = 1", ["a"], 2],
    ['x = """\na = 1\n\\""" \n"""""\na = 1', ["a"], 5],
    ["x = '''\na = 1'''''\na = 1", ["a"], 3],
    ['x = ""\na = ""', ["a"], 2],
    ['x = "\\""\na = 1', ["a"], 2],
    ["x = 1979-05-27T07:32:00Z\ny = -inf\na = 1", ["a"], 3],
    ["[[x]]\na = 1\n[[x]]\na = 2\n[y]\na = 3", ["y", "a"], 6],
    ["a = 1\r\nb = 2\r\n", ["b"], 2],
    ["[__proto__]\na = 1", ["__proto__", "a"], 2],
  ])("in %j, finds %j in line %s", (text, path, expected) => {
    expect(line(text, ...path)).toBe(expected);
  });

  it.each([
    ["tables", (n: number) => `[projects."/${n}"]\ntrust = "x"\n`],
    ["keys", (n: number) => `key-${n} = "x"\n`],
    ["nested values", (n: number) => `key-${n} = [{ a = [1, "]"] }, '''\n''']\n`],
  ])("takes time in proportion to the file: two megabytes of %s", (_, entry) => {
    const text = (bytes: number) => {
      const entries: Array<string> = [];
      for (let n = 0, length = 0; length < bytes; length += entry(n).length, n++)
        entries.push(entry(n));
      return `${entries.join("")}\n[last]\nkey = 1\n`;
    };
    const durationMs = (toml: string) => {
      const durations = Array.from({ length: 3 }, () => {
        const startedAtMs = performance.now();
        expect(lineOfKey(toml, ["last", "key"])).toBe(toml.split("\n").length - 1);
        return performance.now() - startedAtMs;
      });
      return Math.min(...durations);
    };
    const [small, large] = [text(250_000), text(2_000_000)];
    durationMs(small);
    // Eight times the size: 8 if linear, 64 if quadratic.
    expect(durationMs(large) / durationMs(small)).toBeLessThan(30);
  });
});
