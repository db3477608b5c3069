import { once } from "node:events";
import { readFile, rename, writeFile } from "node:fs/promises";
import { codexClientId, startTestAuthority, type TestAuthority } from "@agent-auth/test-authority";
import { describe, expect, it } from "vitest";
import { chatgptSignIn } from "./support/chatgpt-sign-in.ts";
import { CliHome } from "./support/cli.ts";

// The small version of `npm run proof:keep`, which runs the real Codex.

/** What Codex does before a request: reads the file, and refreshes without a lock what expires within five minutes. */
const actAsCodex = async (authority: TestAuthority, home: CliHome, text: string): Promise<void> => {
  const document = JSON.parse(text);
  const payload = document.tokens.access_token.split(".")[1];
  const { exp } = JSON.parse(Buffer.from(payload, "base64url").toString());
  if (exp * 1000 - Date.now() > 300_000) return;
  const response = await fetch(`${authority.issuer}/oauth/token`, {
    method: "POST",
    headers: { "content-type": "application/json", "user-agent": "codex_exec/0.171.0" },
    body: JSON.stringify({
      client_id: codexClientId,
      grant_type: "refresh_token",
      refresh_reason: "proactive_expiry",
      refresh_token: document.tokens.refresh_token,
    }),
  });
  if (response.ok) await replaceAuth(home, { ...document, tokens: await response.json() });
};

const replaceAuth = async (home: CliHome, document: unknown): Promise<void> => {
  const written = `${home.authFile}.${crypto.randomUUID()}`;
  await writeFile(written, JSON.stringify(document), { mode: 0o600 });
  await rename(written, home.authFile);
};

const isAlive = async (authority: TestAuthority, home: CliHome): Promise<boolean> => {
  const { tokens } = JSON.parse(await readFile(home.authFile, "utf8"));
  const response = await fetch(`${authority.chatgptBaseUrl}/codex/models`, {
    headers: {
      authorization: `Bearer ${tokens.access_token}`,
      "chatgpt-account-id": authority.account.accountId,
    },
  });
  return response.ok;
};

const setUp = async () => {
  const authority = await startTestAuthority({ settings: { punishReuse: true } });
  const home = await CliHome.make(`chatgpt_base_url = "${authority.chatgptBaseUrl}"\n`);
  const tokens = await authority.mintChatgptTokens({ expiresInSeconds: 300 });
  return { authority, home, signIn: chatgptSignIn(authority, tokens) };
};

/** All of them read the file before one of them writes it. */
const tenAtOnce = async (authority: TestAuthority, home: CliHome): Promise<void> => {
  const texts = await Promise.all(
    Array.from({ length: 10 }, () => readFile(home.authFile, "utf8")),
  );
  await Promise.all(texts.map((text) => actAsCodex(authority, home, text)));
};

const refreshesByCodex = (authority: TestAuthority): number =>
  authority
    .requestsTo("refresh")
    .filter(({ headers }) => headers["user-agent"] === "codex_exec/0.171.0").length;

describe("ten programs that refresh five minutes ahead without a lock, as Codex does", () => {
  it("end the sign-in if they find the token due", async () => {
    const { authority, home, signIn } = await setUp();
    await using _home = home;
    await using _authority = authority;
    await home.writeAuth(signIn);
    await tenAtOnce(authority, home);
    expect(refreshesByCodex(authority)).toBe(10);
    expect(await isAlive(authority, home)).toBe(false);
  });

  it("do not find it due beside `agent-auth keep`, which refreshed a new sign-in first", async () => {
    const { authority, home, signIn } = await setUp();
    await using _home = home;
    await using _authority = authority;
    const keep = home.spawn(["keep", "--wait"]);
    const ended = new Promise((resolve) => keep.once("close", resolve));
    try {
      let printed = "";
      const isFresh = new Promise<void>((resolve) =>
        keep.stderr.on("data", (chunk: Buffer) => {
          printed += chunk.toString();
          if (/expires \S+Z \(in (?:59|60) minutes|in 1 hour/u.test(printed)) resolve();
        }),
      );
      await once(keep.stderr, "data"); // it waits for a sign-in
      await replaceAuth(home, signIn);
      await isFresh;
      await tenAtOnce(authority, home);
      expect(refreshesByCodex(authority)).toBe(0);
      expect(authority.count("refresh")).toBe(1);
      expect(await isAlive(authority, home)).toBe(true);
    } finally {
      keep.kill("SIGTERM");
      await ended;
    }
  });
});
