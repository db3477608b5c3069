import { describe, expect, it } from "vitest";
import { parseNoProxy } from "../../src/http/no-proxy.ts";

const exempts = (noProxy: string, url: string): boolean => parseNoProxy(noProxy)(new URL(url));

describe("parseNoProxy", () => {
  it.each([
    ["*", "https://example.com"],
    ["example.com", "https://example.com"],
    ["example.com", "https://api.example.com"],
    [".example.com", "https://example.com"],
    [".example.com", "https://api.example.com"],
    ["*.example.com", "https://api.example.com"],
    ["EXAMPLE.com.", "https://example.COM"],
    ["example.com", "https://example.com./"],
    ["other.test, example.com", "https://example.com"],
    ["other.test example.com", "https://example.com"],
    ["example.com:443", "https://example.com"],
    ["example.com:8443", "https://example.com:8443"],
    ["10.1.2.3", "http://10.1.2.3"],
    ["10.0.0.0/8", "https://10.1.2.3:8443"],
    ["10.1.2.3/32", "https://10.1.2.3"],
    ["fd00::/8", "https://[fd12::1]"],
    ["[fd00::]/8", "https://[fd12::1]"],
    ["fd12::1", "https://[fd12::1]"],
    ["[fd12::1]:443", "https://[fd12:0:0::1]"],
  ])("%s exempts %s", (noProxy, url) => expect(exempts(noProxy, url)).toBe(true));

  it.each([
    ["", "https://example.com"],
    [",, ", "https://example.com"],
    ["example.com", "https://notexample.com"],
    ["example.com", "https://example.com.evil.test"],
    ["*.example.com", "https://example.com"],
    ["example.com:8443", "https://example.com"],
    ["10.0.0.0/8", "https://11.0.0.1"],
    ["10.0.0.0/8", "https://10.example.com"],
    ["10.0.0.0/33", "https://10.0.0.1"],
    ["example.com/8", "https://example.com"],
    ["fd00::/8", "https://10.0.0.1"],
    ["fd12::1", "https://[fd12::2]"],
  ])("%s does not exempt %s", (noProxy, url) => expect(exempts(noProxy, url)).toBe(false));
});
