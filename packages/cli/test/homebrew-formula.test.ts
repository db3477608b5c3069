import { spawnSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { formula } from "../install/formula.ts";

const files = ["darwin-arm64", "darwin-x64", "linux-arm64", "linux-x64"];
const sums = files.map((name, at) => `${String(at).repeat(64)}  agent-auth-${name}\n`).join("");
const url = "https://downloads.example/1.2.3";

describe("the Homebrew formula", () => {
  it("names file and checksum of each platform", () => {
    const text = formula(url, "1.2.3", sums);
    expect(text).toContain(`  on_macos do
    on_arm do
      url "https://downloads.example/1.2.3/agent-auth-darwin-arm64"
      sha256 "${"0".repeat(64)}"
`);
    expect(text).toContain(`  on_linux do
    on_intel do
      url "https://downloads.example/1.2.3/agent-auth-linux-x64"
      sha256 "${"3".repeat(64)}"
`);
    expect(text).toContain('  version "1.2.3"\n');
  });

  it("is not made if an executable is missing", () => {
    const [, ...others] = sums.split("\n");
    expect(() => formula(url, "1.2.3", others.join("\n"))).toThrow(
      "SHA256SUMS does not list agent-auth-darwin-arm64",
    );
  });

  const hasRuby = spawnSync("ruby", ["--version"]).status === 0;
  it.skipIf(!hasRuby)(`is Ruby${hasRuby ? "" : " (skipped: ruby is not installed)"}`, () => {
    const checked = spawnSync("ruby", ["-c", "-"], { input: formula(url, "1.2.3", sums) });
    expect(checked.status).toBe(0);
  });
});
