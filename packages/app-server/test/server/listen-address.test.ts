import { describe, expect, it } from "vitest";
import { isLoopback, parseListenAddress } from "../../src/server/index.ts";

const unsupported = (url: string) =>
  `unsupported --listen URL \`${url}\`; expected \`stdio://\`, \`unix://\`, \`unix://PATH\`, \`ws://IP:PORT\`, or \`off\``;
const invalid = (url: string) =>
  `invalid websocket --listen URL \`${url}\`; expected \`ws://IP:PORT\``;

describe("parseListenAddress", () => {
  it.each([
    ["stdio://", { _tag: "Stdio" }],
    ["off", { _tag: "Off" }],
    ["unix://", { _tag: "Unix" }],
    ["unix:///run/codex.sock", { _tag: "Unix", path: "/run/codex.sock" }],
    ["unix://codex.sock", { _tag: "Unix", path: "codex.sock" }],
    ["ws://127.0.0.1:4500", { _tag: "WebSocket", host: "127.0.0.1", port: 4500 }],
    ["ws://0.0.0.0:0", { _tag: "WebSocket", host: "0.0.0.0", port: 0 }],
    ["ws://[::1]:4500", { _tag: "WebSocket", host: "::1", port: 4500 }],
  ])("reads %s", (url, address) => {
    expect(parseListenAddress(url)).toEqual(address);
  });

  it.each([
    "ws://localhost:4753",
    "ws://127.0.0.1",
    "ws://127.0.0.1:65536",
    "ws://127.0.0.1:4500/path",
    "ws://127.1:4500",
    "ws://::1:4500",
    "ws://[127.0.0.1]:4500",
    "ws://user@127.0.0.1:4500",
  ])("rejects %s as no numeric address and port", (url) => {
    expect(parseListenAddress(url)).toBe(invalid(url));
  });

  it.each(["http://127.0.0.1:1", "nope", "", "wss://127.0.0.1:1", "stdio:///x"])(
    "rejects %j as unsupported",
    (url) => {
      expect(parseListenAddress(url)).toBe(unsupported(url));
    },
  );
});

describe("isLoopback", () => {
  it.each(["127.0.0.1", "127.255.0.1", "::1", "0:0:0:0:0:0:0:1"])("%s is", (host) => {
    expect(isLoopback(host)).toBe(true);
  });
  it.each([
    "0.0.0.0",
    "::",
    "::2",
    "10.0.0.1",
    "1::1",
    "::ffff:127.0.0.1",
    "127.0.0.1.evil.example",
  ])("%s is not", (host) => {
    expect(isLoopback(host)).toBe(false);
  });
});
