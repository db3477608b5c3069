import { describe, expect, it } from "vitest";
import { isUntrustedCertificateCode } from "../src/http/index.ts";
import { parseRetryAfterMs } from "../src/http/retry-after.ts";

const nowMs = Date.parse("1994-11-06T08:49:30Z");

describe("parseRetryAfterMs", () => {
  it.each([
    ["0", 0],
    ["120", 120_000],
    [" 120 ", 120_000],
    ["99999999999", 99_999_999_999_000],
    ["Sun, 06 Nov 1994 08:49:37 GMT", 7000],
    ["Sunday, 06-Nov-94 08:49:37 GMT", 7000],
    ["Sun Nov  6 08:49:37 1994", 7000],
    ["Sun, 06 Nov 1994 08:49:00 GMT", 0],
  ])("reads %j as %d milliseconds", (value, expected) => {
    expect(parseRetryAfterMs(value, nowMs)).toBe(expected);
  });

  it.each([
    undefined,
    null,
    "",
    "-1",
    "1.5",
    "1e3",
    "soon",
    "1994-11-06T08:49:37Z",
    "Sun, 99 Foo 1994 08:49:37 GMT",
  ])("ignores %j", (value) => {
    expect(parseRetryAfterMs(value, nowMs)).toBeUndefined();
  });
});

describe("isUntrustedCertificateCode", () => {
  it.each([
    ["DEPTH_ZERO_SELF_SIGNED_CERT", true],
    ["SELF_SIGNED_CERT_IN_CHAIN", true],
    ["UNABLE_TO_GET_ISSUER_CERT", true],
    ["UNABLE_TO_GET_ISSUER_CERT_LOCALLY", true],
    ["UNABLE_TO_VERIFY_LEAF_SIGNATURE", true],
    ["CERT_UNTRUSTED", true],
    ["CERT_HAS_EXPIRED", false],
    ["ERR_TLS_CERT_ALTNAME_INVALID", false],
    ["ECONNREFUSED", false],
    [undefined, false],
  ])("%s: %s", (code, expected) => {
    expect(isUntrustedCertificateCode(code)).toBe(expected);
  });
});
