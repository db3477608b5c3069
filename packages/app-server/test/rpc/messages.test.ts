import { describe, expect, it } from "vitest";
import { encodeAnswer, parseMessage } from "../../src/rpc/messages.ts";

describe("parseMessage", () => {
  it.each([
    ["a number", "1", "1"],
    ["zero", "0", "0"],
    ["a negative number", "-7", "-7"],
    ["the largest safe integer", "9007199254740991", "9007199254740991"],
    ["an integer beyond 2^53", "9007199254740993", "9007199254740993"],
    ["the largest 64-bit integer", "9223372036854775807", "9223372036854775807"],
    ["the smallest 64-bit integer", "-9223372036854775808", "-9223372036854775808"],
    ["a string", '"a"', '"a"'],
    ["an empty string", '""', '""'],
    ["a string with quotes and a newline", '"\\"\\n"', '"\\"\\n"'],
  ])("repeats %s as id", (_, id, expected) => {
    const message = parseMessage(`{"id":${id},"method":"m","params":{"id":5}}`);
    expect(message).toEqual({
      _tag: "Request",
      idJson: expected,
      method: "m",
      params: { id: 5 },
    });
  });

  it.each([
    ["null", "null"],
    ["a fraction", "3.5"],
    ["an object", "{}"],
    ["a list", "[1]"],
    ["a boolean", "true"],
    ["an integer beyond 64 bits", "9223372036854775808"],
    ["a large number in exponent form", "1e300"],
  ])("ignores a request whose id is %s", (_, id) => {
    expect(parseMessage(`{"id":${id},"method":"m"}`)).toBeUndefined();
  });

  it.each([
    ["text that is not JSON", "not json"],
    ["an empty line", ""],
    ["two messages", '{"id":1,"method":"m"}\n{"id":2,"method":"m"}'],
    ["a batch", '[{"id":1,"method":"m"}]'],
    ["an empty batch", "[]"],
    ["a string", '"m"'],
    ["null", "null"],
    ["an id alone", '{"id":72}'],
    ["an answer without an id", '{"result":{}}'],
    ["an error that is not an object", '{"id":0,"error":"no"}'],
    ["an error without a code", '{"id":0,"error":{"message":"no"}}'],
    ["a method that is not a string", '{"id":1,"method":5}'],
    ["a byte order mark", '\ufeff{"id":1,"method":"m"}'],
  ])("ignores %s", (_, text) => {
    expect(parseMessage(text)).toBeUndefined();
  });

  it("tells absent params from null", () => {
    expect(parseMessage('{"method":"m"}')).toEqual({
      _tag: "Notification",
      method: "m",
      params: undefined,
    });
    expect(parseMessage('{"method":"m","params":null}')).toMatchObject({ params: null });
  });

  it("reads an answer, with or without data in its error", () => {
    expect(parseMessage('{"id":0,"result":null}')).toEqual({
      _tag: "Answer",
      id: 0,
      answer: { result: null },
    });
    expect(parseMessage('{"id":0,"error":{"code":-1,"message":"no","data":{"a":1}}}')).toEqual({
      _tag: "Answer",
      id: 0,
      answer: { error: { code: -1, message: "no", data: { a: 1 } } },
    });
  });

  it.each([
    ["lists", "[", "]"],
    ["objects", '{"a":', "}", "1"],
    ["ids", '{"id":', "}", "1"],
  ])(
    "ignores a message with an id beyond 2^53 and %s that are nested 40,000 deep",
    (_, open, close, inner = "") => {
      const nested = open.repeat(40_000) + inner + close.repeat(40_000);
      const text = `{"id":9007199254740993,"method":"m","params":${nested}}`;
      expect(parseMessage(text)).toBeUndefined();
    },
  );

  it("reads lists that are nested 100,000 deep", () => {
    const nested = "[".repeat(100_000) + "]".repeat(100_000);
    expect(parseMessage(`{"id":1,"method":"m","params":${nested}}`)?._tag).toBe("Request");
  });
});

describe("encodeAnswer", () => {
  it("writes the members in Codex's order, without jsonrpc", () => {
    expect(encodeAnswer("1", { result: { a: 1 } })).toBe('{"id":1,"result":{"a":1}}');
    expect(encodeAnswer('"x"', { error: { code: -32600, message: "Not initialized" } })).toBe(
      '{"error":{"code":-32600,"message":"Not initialized"},"id":"x"}',
    );
  });

  it("writes null for a result that is undefined", () => {
    expect(encodeAnswer("1", { result: undefined })).toBe('{"id":1,"result":null}');
  });
});
