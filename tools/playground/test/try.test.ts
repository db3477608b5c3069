import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";

const program = join(import.meta.dirname, "../src/try.ts");

/** Runs a shell command in the playground. */
const attempt = (line: string) =>
  spawnSync(process.execPath, [program, "sh", "-c", line], { encoding: "utf8", timeout: 60_000 });

describe.skipIf(process.platform === "win32")("npm run try", () => {
  it("has a working agent-auth, and the program of README.md", () => {
    const { status, stdout } = attempt(
      "agent-auth login --quiet --with-agent-identity < agent.jwt && node request.mts && pwd",
    );
    expect(stdout).toMatch(/^200 \{"id":"resp_/u);
    expect(status).toBe(0);
    expect(existsSync(stdout.trimEnd().split("\n").at(-1) ?? "")).toBe(false);
  });

  it("removes its links, not their targets, and exits with the shell's exit code", () => {
    const { status } = attempt("exit 3");
    expect(status).toBe(3);
    expect(existsSync(join(import.meta.dirname, "../../../node_modules/vitest"))).toBe(true);
  });
});
