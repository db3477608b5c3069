import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startTestAuthority } from "@agent-auth/test-authority";
import * as Effect from "effect/Effect";
import * as Redacted from "effect/Redacted";
import { assert, describe, it } from "vitest";
import { AuthorizationDenied } from "../../src/errors/index.ts";
import {
  createAuthManager,
  signInWithBrowser,
  signInWithDeviceCode,
} from "../../src/promises/index.ts";
import { decideInBrowser } from "./support/memory-authority.ts";

const quiet = () => {};
const decide = (...given: Parameters<typeof decideInBrowser>) =>
  Effect.runPromise(Effect.asVoid(decideInBrowser(...given)));

describe("promises, sign-in", () => {
  it("signs in through the browser into a manager", async () => {
    await using authority = await startTestAuthority();
    const home = await mkdtemp(join(tmpdir(), "sign-in-promises-"));
    const variables = { CODEX_HOME: home };
    await using manager = createAuthManager({
      codexHome: home,
      variables,
      configOverrides: [`chatgpt_base_url="${authority.chatgptBaseUrl}"`],
      environmentCredentials: false,
      loadAtStart: false,
    });
    const tokens = await signInWithBrowser({
      issuer: authority.issuer,
      variables,
      originator: "my_editor",
      ports: [0],
      onAuthorizeUrl: quiet,
      openBrowser: (link) => decide(authority, link),
      save: manager.loginWithChatgptTokens,
    });
    const [exchange] = authority.requestsTo("token");
    assert.strictEqual(exchange?.headers["originator"], "my_editor");
    assert.strictEqual(tokens.accountId, authority.account.accountId);
    assert.strictEqual((await manager.current())?.account.accountId, tokens.accountId);
    const saved = await readFile(join(home, "auth.json"), "utf8");
    assert.include(saved, Redacted.value(tokens.refreshToken));
    await rm(home, { recursive: true });
  });

  it("sends the originator of the environment, and rejects with the error classes of the Effect API", async () => {
    await using authority = await startTestAuthority();
    let originator: string | null = null;
    const refused = await signInWithBrowser({
      issuer: authority.issuer,
      variables: { CODEX_INTERNAL_ORIGINATOR_OVERRIDE: "the_operator" },
      originator: "my_editor",
      ports: [0],
      onAuthorizeUrl: ({ url }) => {
        originator = new URL(url).searchParams.get("originator");
      },
      openBrowser: (link) => decide(authority, link, { decision: "deny" }),
    }).catch((error: unknown) => error);
    assert.instanceOf(refused, AuthorizationDenied);
    assert.strictEqual(originator, "the_operator");
  });

  it("rejects with the reason that save rejects with", async () => {
    await using authority = await startTestAuthority();
    const full = new Error("disk full");
    const failed = await signInWithBrowser({
      issuer: authority.issuer,
      variables: {},
      ports: [0],
      onAuthorizeUrl: quiet,
      openBrowser: (link) => decide(authority, link),
      save: () => Promise.reject(full),
    }).catch((error: unknown) => error);
    assert.strictEqual(failed, full);
  });

  it("continues if the browser does not open, and rejects when it is aborted", async () => {
    const controller = new AbortController();
    let redirectUri = "";
    const aborted = await signInWithBrowser({
      variables: {},
      ports: [0],
      signal: controller.signal,
      onAuthorizeUrl: (prompt) => {
        ({ redirectUri } = prompt);
      },
      openBrowser: () => {
        throw new Error("no browser");
      },
      onBrowserFailed: () => controller.abort(new Error("enough")),
    }).catch((error: unknown) => error);
    assert.propertyVal(aborted, "message", "enough");
    const after = await fetch(redirectUri).catch(() => "gone");
    assert.strictEqual(after, "gone");
  });

  it("signs in with a device code", async () => {
    await using authority = await startTestAuthority();
    const tokens = await signInWithDeviceCode({
      issuer: authority.issuer,
      variables: {},
      onCode: ({ userCode }) => void authority.decideDevice(userCode, { decision: "approve" }),
    });
    assert.strictEqual(tokens.accountId, authority.account.accountId);
  });
});
