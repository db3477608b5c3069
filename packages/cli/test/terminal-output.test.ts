import { describe, expect, it } from "vitest";
import { layOutJson } from "../src/terminal/json-layout.ts";
import { makeTerminalFilter } from "../src/terminal/terminal-filter.ts";

const filtered = (...chunks: readonly (string | Uint8Array)[]): string => {
  const filter = makeTerminalFilter();
  return chunks.map(filter.push).join("") + filter.end();
};

describe("the terminal filter", () => {
  it.each([
    ["a title (OSC)", "a\u001b]0;title\u0007b", "a�]0;title�b"],
    ["a hyperlink (OSC 8)", "\u001b]8;;http://x\u001b\\y", "�]8;;http://x�\\y"],
    ["the clipboard (OSC 52)", "\u001b]52;c;cm0=\u0007", "�]52;c;cm0=�"],
    ["colours (CSI)", "\u001b[31mred", "�[31mred"],
    ["a device string (DCS)", "\u001bP1$r\u001b\\", "�P1$r�\\"],
    ["C1 controls: CSI, OSC, DCS, ST", "\u009b1m\u009d0;t\u0090x\u009c", "�1m�0;t�x�"],
    ["a backspace that hides text", "rm\b\bls", "rm��ls"],
    ["a carriage return that hides text", "evil\rgood", "evil�good"],
    ["changes of the text direction", "a\u202eb\u2066c", "a�b�c"],
    ["DEL and NUL", "a\u007fb\u0000", "a�b�"],
  ])("replaces %s", (_, text, shown) => {
    expect(filtered(text)).toBe(shown);
  });

  it("keeps lines, tabs, and text of every language", () => {
    expect(filtered("a\tb\r\nc\n日本語 émoji 👩‍💻\n")).toBe("a\tb\r\nc\n日本語 émoji 👩‍💻\n");
  });

  it.each([
    ["a C1 control between its two bytes", [[0xc2], [0x9b, 0x33]], "�3"],
    [
      "an emoji between its bytes",
      [
        [0xf0, 0x9f],
        [0x92, 0xbb],
      ],
      "💻",
    ],
    [
      "a line end",
      [
        [0x61, 0x0d],
        [0x0a, 0x62],
      ],
      "a\r\nb",
    ],
    ["a carriage return before other text", [[0x61, 0x0d], [0x62]], "a�b"],
    ["a carriage return at the very end", [[0x61, 0x0d]], "a�"],
    ["a C1 control as a byte that is not UTF-8", [[0x61, 0x9b], [0x33]], "a�3"],
  ])("reads chunks that split %s", (_, chunks, shown) => {
    expect(filtered(...chunks.map((bytes) => Uint8Array.from(bytes)))).toBe(shown);
  });
});

const plain = (text: string) => layOutJson(text, { colour: false });
const nested = (levels: number) => plain("[".repeat(levels) + "]".repeat(levels));

describe("layOutJson", () => {
  it.each([
    ["lists", "[", "]", ""],
    ["objects", '{"a":', "}", "1"],
    ["lists in objects", '{"a":[', "]}", ""],
  ])(
    "leaves %s of 20,000 levels as they are: their indentation would be gigabytes",
    (_, open, close, inner) => {
      expect(plain(open.repeat(20_000) + inner + close.repeat(20_000))).toBeNull();
    },
  );

  it("lays out 256 levels, and no more", () => {
    expect(nested(256)?.split("\n")).toHaveLength(511);
    expect(nested(257)).toBeNull();
  });

  it.each([
    ["an object", '{"a":1,"b":[true,null]}', '{\n  "a": 1,\n  "b": [\n    true,\n    null\n  ]\n}'],
    ["empty containers", '{"a":{},"b":[]}', '{\n  "a": {},\n  "b": []\n}'],
    ["punctuation in strings", '["{,}:\\"[]"]', '[\n  "{,}:\\"[]"\n]'],
    ["long numbers", "[12345678901234567890, 1.50]", "[\n  12345678901234567890,\n  1.50\n]"],
    ["duplicate keys", '{"a":1,"a":2}', '{\n  "a": 1,\n  "a": 2\n}'],
    ["a lone value", ' "x" ', '"x"'],
  ])("lays out %s and changes nothing else", (_, text, shown) => {
    expect(plain(text)).toBe(shown);
  });

  it("escapes what a terminal would obey", () => {
    expect(plain('["\u009b31m\u202e"]')).toBe('[\n  "\\u009b31m\\u202e"\n]');
  });

  it("colours keys, strings and literals", () => {
    expect(layOutJson('{"a":["x",1,true]}', { colour: true })).toBe(
      '{\n  \u001b[1;34m"a"\u001b[m: [\n    \u001b[32m"x"\u001b[m,\n    1,\n    \u001b[33mtrue\u001b[m\n  ]\n}',
    );
  });

  it.each(["", "{", '{"a":1}{"b":2}', "data: {}", "undefined"])("refuses %j", (text) => {
    expect(plain(text)).toBeNull();
  });
});
