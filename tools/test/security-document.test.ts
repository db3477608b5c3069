// The threat model in docs/security.md names the files of tests that hold it; they have to exist.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";

const repository = join(import.meta.dirname, "../..");
const document = readFileSync(join(repository, "docs/security.md"), "utf8");
const files = [
  ...new Set(
    Array.from(
      document.matchAll(/`([a-z-]+\/test\/[\w./-]+\.test\.ts)`/gu),
      ([, file = ""]) => file,
    ),
  ),
];

describe("docs/security.md", () => {
  it("names at least fifteen files of tests", () => {
    expect(files.length).toBeGreaterThanOrEqual(15);
  });

  it.each(files)("names %s, which exists", (file) => {
    expect(existsSync(join(repository, "packages", file))).toBe(true);
  });
});
