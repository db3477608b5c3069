import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { openHome } from "./manager/fixture.ts";

const heavy = /\/(undici|jose|oauth4webapi|koffi|zod|@noble|@napi-rs)\//;

const load = async (document: unknown): Promise<{ kind: string; loaded: Array<string> }> => {
  const home = await openHome();
  await home.write(document);
  const { stderr, stdout } = spawnSync(
    process.execPath,
    ["--conditions=@agent-auth/source", join(import.meta.dirname, "start-up/load.ts")],
    { encoding: "utf8", env: { CODEX_HOME: home.path } },
  );
  expect(stderr).toBe("");
  const report: { kind: string; loaded: Array<string> } = JSON.parse(stdout);
  return report;
};

const claims = Buffer.from(JSON.stringify({ exp: 4_000_000_000 })).toString("base64url");

describe("starting with a stored credential", () => {
  it("loads no HTTP client, verifier, parser or native code for an API key", async () => {
    const { kind, loaded } = await load({ OPENAI_API_KEY: "sk-stored" });
    expect(kind).toBe("ApiKey");
    expect(loaded.length).toBeGreaterThan(50);
    expect(loaded.filter((url) => heavy.test(url))).toEqual([]);
  });

  it("loads the parser of claims, and no other heavy module, for a ChatGPT sign-in", async () => {
    const jwt = `e30.${claims}.c2ln`;
    const tokens = { id_token: jwt, access_token: jwt, refresh_token: "rt" };
    const { kind, loaded } = await load({ auth_mode: "chatgpt", tokens });
    expect(kind).toBe("Chatgpt");
    const packages = new Set(loaded.map((url) => heavy.exec(url)?.[1]));
    expect([...packages].filter((name) => name !== undefined)).toEqual(["zod"]);
  });
});
