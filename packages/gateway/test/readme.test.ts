import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";

const program = join(import.meta.dirname, "readme/server.ts");

describe("README.md", () => {
  it("shows the program that is tested here", async () => {
    const text = await readFile(join(import.meta.dirname, "../README.md"), "utf8");
    expect(text).toContain(`\`\`\`ts\n${await readFile(program, "utf8")}\`\`\``);
  });

  it("has a program that makes an identity, and a server that rejects everyone else", async () => {
    const cwd = await mkdtemp(join(tmpdir(), "gateway-readme-"));
    const script = `
      import { makeServer } from ${JSON.stringify(pathToFileURL(program).href)};
      const { gateway, server, jwt } = await makeServer();
      await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
      const url = "http://127.0.0.1:" + server.address().port;
      const headers = { authorization: "Bearer " + jwt };
      const whoami = await fetch(url + "/v1/user-auth-credential/whoami", { headers });
      process.stdout.write((await whoami.json()).chatgpt_account_id + " " + (await fetch(url)).status);
      server.closeAllConnections();
      server.close();
      await gateway.close();`;
    const flags = ["--conditions=@agent-auth/source", "--input-type=module", "--eval", script];
    const { stdout } = await promisify(execFile)(process.execPath, flags, { cwd });
    expect(stdout).toBe("team-1 401");
    await rm(cwd, { recursive: true });
  });
});
