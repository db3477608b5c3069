import { describe, expect, it } from "vitest";
import { makeWarn } from "../src/terminal/warnings.ts";

const minute = 60_000;

const setUp = () => {
  const lines: string[] = [];
  return { lines, warn: makeWarn((line) => lines.push(line)) };
};

describe("makeWarn", () => {
  it("prints a text once in ten minutes", () => {
    const { lines, warn } = setUp();
    warn("no keyring", 0);
    warn("no keyring", 10 * minute - 1);
    expect(lines).toEqual(["warning: no keyring"]);
    warn("no keyring", 10 * minute);
    warn("no keyring", 11 * minute);
    expect(lines).toEqual(["warning: no keyring", "warning: no keyring"]);
  });

  it("prints another text at once, and each as one line", () => {
    const { lines, warn } = setUp();
    warn("no keyring", 0);
    warn("no\nauthority", 1);
    expect(lines).toEqual(["warning: no keyring", "warning: no authority"]);
  });

  it("prints it again after the clock was set back by more than that", () => {
    const { lines, warn } = setUp();
    warn("no keyring", 60 * minute);
    warn("no keyring", 40 * minute);
    expect(lines).toHaveLength(2);
  });

  it("remembers the last fifty texts", () => {
    const { lines, warn } = setUp();
    for (let n = 0; n < 51; n += 1) warn(`fault ${n}`, n);
    warn("fault 1", 51);
    expect(lines).toHaveLength(51);
    warn("fault 0", 52);
    expect(lines).toHaveLength(52);
  });
});
