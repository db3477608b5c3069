import { HttpConnectionFailed, HttpTimedOut } from "@agent-auth/agent-identity/errors";
import { assert, describe, it } from "@effect/vitest";
import * as fc from "fast-check";
import { fromTransportError } from "../../src/oauth/request.ts";
import { escapeHtml, renderPage } from "../../src/oauth/pages/render.ts";
import { parseServerError, sanitizeText } from "../../src/oauth/server-error.ts";

describe("sanitizeText", () => {
  it("removes control, format and bidi characters, and cuts by characters", () => {
    assert.strictEqual(sanitizeText("a\u001b[31m\r\nb\u202ec\u2028d\u200be"), "a [31m b c d e");
    assert.strictEqual(sanitizeText("👩‍🚀".repeat(9), { maxLength: 3 })?.endsWith("…"), true);
    assert.strictEqual(sanitizeText(" \n "), undefined);
    assert.strictEqual(sanitizeText(null), undefined);
  });

  it("removes the secrets of the request", () => {
    assert.strictEqual(
      sanitizeText("code abc is old", { secrets: ["abc", ""] }),
      "code *** is old",
    );
  });

  it("leaves nothing that a terminal would interpret", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 400 }), (text) => {
        const plain = sanitizeText(text) ?? "";
        assert.notMatch(plain, /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
        assert.isAtMost(Array.from(plain).length, 300);
      }),
    );
  });
});

describe("parseServerError", () => {
  it("parses the three shapes and nothing else", () => {
    const cases: ReadonlyArray<readonly [body: string, expected: object]> = [
      ['{"error":"a","error_description":"b"}', { error: "a", description: "b" }],
      ['{"error":{"code":"a","message":"b"}}', { error: "a", description: "b" }],
      ['{"error":{"type":"a","message":"b"}}', { error: "a", description: "b" }],
      ['{"code":"a","message":"b"}', { error: "a", description: "b" }],
      ['{"error":7,"code":"a"}', { error: "a" }],
      ['{"error":{"code":7}}', {}],
      ["[]", {}],
      ["null", {}],
      ["<html>", {}],
      ["", {}],
    ];
    for (const [body, expected] of cases)
      assert.deepStrictEqual(parseServerError(body), expected, body);
  });

  it("throws on no input", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (body) => {
        assert.isObject(parseServerError(body));
      }),
    );
  });
});

const unescape = (html: string) =>
  html
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll("&quot;", '"')
    .replaceAll("&#39;", "'")
    .replaceAll("&amp;", "&");

const tags = (html: string) => html.match(/<[^>]*>/g)?.length;

const page = (text: string, application = "") =>
  renderPage(
    {
      status: 400,
      tone: "bad",
      icon: "cross",
      title: text,
      paragraphs: [text],
      details: [
        { term: text, values: [text] },
        { term: "", values: [text], isCode: true },
      ],
    },
    application,
  ).html;

describe("renderPage", () => {
  it("escapes every inserted value", () => {
    const bare = tags(page(""));
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), fc.string(), (text, application) => {
        assert.strictEqual(unescape(escapeHtml(text)), text);
        assert.strictEqual(tags(page(text, application)), bare, "no tag came in with a value");
      }),
    );
    const html = page("<b>\"&'</b>", "<i>");
    assert.strictEqual(html.split("&lt;b&gt;&quot;&amp;&#39;&lt;/b&gt;").length - 1, 6);
    assert.strictEqual(html.split("&lt;i&gt;").length - 1, 2);
  });
});

describe("fromTransportError", () => {
  const url = "https://auth.example.com/oauth/token";
  const failed = (reason: string) =>
    fromTransportError(url, new HttpConnectionFailed({ method: "POST", url, reason }));

  it("says in words why the authority could not be reached", () => {
    assert.strictEqual(
      failed("ENOTFOUND").message,
      "cannot reach https://auth.example.com: its name cannot be resolved",
    );
    assert.strictEqual(failed("EODD").message, "cannot reach https://auth.example.com: EODD");
    const slow = new HttpTimedOut({ method: "POST", url, timeoutMs: 30_000 });
    assert.strictEqual(
      fromTransportError(url, slow).message,
      "cannot reach https://auth.example.com: no response within 30 s",
    );
  });
});
