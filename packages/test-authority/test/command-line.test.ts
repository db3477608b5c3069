import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { createInterface } from "node:readline/promises";
import { decodeJwt } from "jose";
import { Agent, request } from "undici";
import { describe, expect, it } from "vitest";
import * as z from "zod";
import { parseCommandLine } from "../src/command/options.ts";

describe("parseCommandLine", () => {
  it("runs on a free loopback port by default", () => {
    expect(parseCommandLine([])).toEqual({
      _tag: "Run",
      options: {
        host: "127.0.0.1",
        port: 0,
        tls: false,
        mint: false,
        apiKey: false,
        personalAccessToken: false,
      },
    });
  });

  it.each([
    [["--port", "70000"], "--port"],
    [["--port", "x"], "--port"],
    [["--host", "0.0.0.0"], "loopback"],
    [["--host", "127.999.0.1"], "loopback"],
    [["--nonsense"], "--nonsense"],
    [["word"], "word"],
  ])("refuses %j and names what is wrong", (args, part) => {
    expect(parseCommandLine(args)).toMatchObject({
      _tag: "Wrong",
      message: expect.stringContaining(part),
    });
  });
});

const Line = z.object({
  url: z.url(),
  chatgpt_base_url: z.url(),
  agent_identity: z.string().optional(),
  accounts_base_url: z.url(),
  api_key: z.string().optional(),
  personal_access_token: z.string().optional(),
  certificate: z.string().optional(),
});

const bin = fileURLToPath(new URL("../src/bin.ts", import.meta.url));
const startBinary = (...args: ReadonlyArray<string>) =>
  spawn(process.execPath, ["--conditions=@agent-auth/source", bin, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
  });

describe("agent-test-authority", () => {
  it.each(["SIGINT", "SIGTERM"] as const)(
    "prints one line of JSON, serves, and exits with 0 on %s",
    async (signal) => {
      const child = startBinary("--mint", "--api-key");
      const exit = once(child, "exit");
      const [first] = await once(createInterface(child.stdout), "line");
      const line = Line.parse(JSON.parse(String(first)));
      expect(decodeJwt(line.agent_identity ?? "").iss).toContain("agent-identity");
      const models = await fetch(`${line.chatgpt_base_url}/codex/models`, {
        headers: { authorization: `Bearer ${line.api_key}` },
      });
      expect(models.status).toBe(200);
      child.kill(signal);
      expect(await exit).toEqual([0, null]);
    },
  );

  it("serves https with the certificate that it prints", async () => {
    const child = startBinary("--tls", "--personal-access-token");
    const [first] = await once(createInterface(child.stdout), "line");
    const line = Line.parse(JSON.parse(String(first)));
    const dispatcher = new Agent({ connect: { ca: line.certificate ?? "" } });
    const answer = await request(`${line.accounts_base_url}/v1/user-auth-credential/whoami`, {
      dispatcher,
      headers: { authorization: `Bearer ${line.personal_access_token}` },
    });
    expect(answer.statusCode).toBe(200);
    await answer.body.dump();
    await dispatcher.close();
    child.kill();
    await once(child, "exit");
  });

  it("mints nothing by default, and exits with 2 for an unknown flag", async () => {
    const child = startBinary();
    const exit = once(child, "exit");
    const [first] = await once(createInterface(child.stdout), "line");
    expect(Object.keys(JSON.parse(String(first)))).toEqual([
      "url",
      "chatgpt_base_url",
      "openai_base_url",
      "accounts_base_url",
      "issuer",
      "account_id",
      "email",
    ]);
    child.kill("SIGTERM");
    await exit;
    const wrong = startBinary("--nonsense");
    expect(await once(wrong, "exit")).toEqual([2, null]);
  });

  it("prints its version", async () => {
    const child = startBinary("--version");
    const [first] = await once(createInterface(child.stdout), "line");
    expect(String(first)).toMatch(/^\d+\.\d+\.\d+$/);
  });
});
