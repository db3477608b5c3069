import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";

const packageFolder = fileURLToPath(new URL("..", import.meta.url));

const run = (program: string) =>
  promisify(execFile)(
    process.execPath,
    ["--conditions=@agent-auth/source", "--input-type=module-typescript", "--eval", program],
    { cwd: packageFolder },
  );

describe("README", () => {
  it("shows programs that run", async () => {
    const text = await readFile(join(packageFolder, "README.md"), "utf8");
    const programs = [...text.matchAll(/```ts\n([\s\S]*?)```/g)].map((found) => found[1] ?? "");
    expect(programs.length).toBeGreaterThan(0);
    for (const program of programs) await run(program);
    await expect(run(`${programs[0]}\nthrow new Error("reached the end");`)).rejects.toThrow(
      "reached the end",
    );
  });
});
