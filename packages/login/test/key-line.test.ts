import { parse } from "smol-toml";
import { describe, expect, it } from "vitest";
import { lineOfKey, type Text } from "../src/config/key-line.ts";

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
    ["comments", (n: number) => `# ${n} # ${n}\n`],
    [
      "keys under a long header",
      (n: number) => (n === 0 ? `[${"a.".repeat(50_000)}a]\n` : "a = 1\n"),
    ],
  ])("looks at each character of two megabytes of %s a few times at most", (_, entry) => {
    const entries: Array<string> = [];
    for (let n = 0, length = 0; length < 2_000_000; n++) {
      const text = entry(n);
      entries.push(text);
      length += text.length;
    }
    const text = new CountedText(`${entries.join("")}\n[last]\nkey = 1\n`);
    expect(lineOfKey(text, ["last", "key"])).toBe(text.lineCount);
    expect(text.charactersRead / text.length).toBeLessThan(10);
  });
});

/** A string that counts the characters that its methods look at. */
class CountedText implements Text {
  readonly #text: string;
  charactersRead = 0;

  constructor(text: string) {
    this.#text = text;
  }

  get length(): number {
    return this.#text.length;
  }

  get lineCount(): number {
    return this.#text.split("\n").length - 1;
  }

  charAt(at: number): string {
    this.charactersRead++;
    return this.#text.charAt(at);
  }

  indexOf(searched: string, from = 0): number {
    const at = this.#text.indexOf(searched, from);
    this.charactersRead += (at === -1 ? this.length : at) - from + 1;
    return at;
  }

  slice(start: number, end = this.length): string {
    this.charactersRead += end - start;
    return this.#text.slice(start, end);
  }

  startsWith(searched: string, at = 0): boolean {
    this.charactersRead += searched.length;
    return this.#text.startsWith(searched, at);
  }
}
