import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";

const packageFolder = fileURLToPath(new URL("..", import.meta.url));

describe("README", () => {
  it("shows programs that run", async () => {
    const text = await readFile(join(packageFolder, "README.md"), "utf8");
    const programs = [...text.matchAll(/```ts\n([\s\S]*?)```/g)].map((found) => found[1] ?? "");
    expect(programs.length).toBeGreaterThan(0);
    // Inside the package, so that its own name resolves; a folder of its own, so that runs do not meet.
    const folder = await mkdtemp(join(packageFolder, ".readme-"));
    try {
      for (const [index, program] of programs.entries()) {
        const file = join(folder, `program-${index}.ts`);
        await writeFile(file, program);
        await promisify(execFile)(process.execPath, ["--conditions=@agent-auth/source", file]);
      }
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
