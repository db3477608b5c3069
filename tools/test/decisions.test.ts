import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";

const folder = join(import.meta.dirname, "../../docs/decisions");
const records = readdirSync(folder)
  .filter((name) => /^\d{4}-/.test(name))
  .toSorted();

describe("docs/decisions", () => {
  it("lists every record in README.md, in order", () => {
    const index = readFileSync(join(folder, "README.md"), "utf8");
    expect([...index.matchAll(/^\| \[\d{4}\]\((.+?)\)/gm)].map(([, name]) => name)).toEqual(
      records,
    );
  });

  it.each(records)("%s has its number, context, options, decision and consequences", (name) => {
    const text = readFileSync(join(folder, name), "utf8");
    expect(text).toMatch(new RegExp(`^# ${name.slice(0, 4)}: .+\n`));
    expect([...text.matchAll(/^## (.+)$/gm)].map(([, heading]) => heading)).toEqual([
      "Context",
      "Options",
      "Decision",
      "Consequences",
    ]);
  });

  it("uses each number once", () => {
    const numbers = records.map((name) => name.slice(0, 4));
    expect(numbers).toEqual([...new Set(numbers)]);
  });
});
