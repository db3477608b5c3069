import * as Effect from "effect/Effect";
import { describe, expect, it } from "vitest";
import { encodeAuthJson, parseAuthJson } from "../src/storage/auth-json/index.ts";
import { openHome, withManager } from "./manager/fixture.ts";

const bedrock =
  "it holds an Amazon Bedrock credential: only Codex, with an Amazon Bedrock model provider, and AWS tools can use it";

/** Credentials that Codex stores and agent-auth cannot use (docs/protocol.md §2). */
const modes = [
  ["headers", {}, "auth_mode is headers: only the program that hosts Codex can use it"],
  ["bedrockApiKey", { bedrock_api_key: { api_key: "br-1", region: "us-east-1" } }, bedrock],
  [
    "bedrockAccessKeys",
    { bedrock_access_keys: { access_key_id: "AKIA1", secret_access_key: "s" } },
    bedrock,
  ],
] as const;

describe.each(modes)("auth_mode %s", (mode, members, reason) => {
  const document = { auth_mode: mode, OPENAI_API_KEY: null, ...members };

  it("is kept, with its members, when the file is rewritten", async () => {
    const parsed = await Effect.runPromise(parseAuthJson(JSON.stringify(document)));
    expect(JSON.parse(encodeAuthJson(parsed))).toEqual(document);
  });

  it("is not a usable credential, and the error names the program that can use it", async () => {
    const home = await openHome();
    await home.write(document);
    const error = await withManager({ home }, (manager) => Effect.flip(manager.current));
    expect(error).toMatchObject({
      code: "LOGIN_CREDENTIAL_UNUSABLE",
      message: `${home.authJson}: ${reason}`,
    });
    expect(await home.read()).toEqual(document);
  });

  it("is removed by a logout", async () => {
    const home = await openHome();
    await home.write(document);
    const setup = { home, options: { loadAtStart: false } };
    const result = await withManager(setup, (manager) => manager.logout);
    expect(result).toEqual({ removed: true, revoked: "notNeeded" });
    expect(home.isSignedIn()).toBe(false);
  });
});
