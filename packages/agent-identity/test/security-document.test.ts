import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";

const read = (path: string): string => readFileSync(new URL(path, import.meta.url), "utf8");
const document = read("../../../docs/security.md");
const tests = readdirSync(import.meta.dirname)
  .filter((file) => file.endsWith(".test.ts") && !file.startsWith("security-document"))
  .map((file) => read(`./${file}`))
  .join("\n");

/** The test titles in the last cell of each row of the tables. */
const named = document
  .split("## Agent identities: trust")[1]
  ?.split("## RFC 8725")[0]
  ?.split("\n")
  .filter((line) => line.startsWith("|"))
  .map((line) => line.split("|").at(-2) ?? "")
  .flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, name = ""]) => name));

describe("docs/security.md", () => {
  it("names a test for each attack", () => {
    expect(named?.length).toBeGreaterThan(40);
  });

  it.each(named ?? [])("the test it names exists: %s", (name) => {
    expect(tests).toContain(`"${name}"`);
  });
});
