/** `agent-auth login --device-auth`, the built binary; the person enters the code in a real browser. */
import { chmod } from "node:fs/promises";
import { startTestAuthority, type TestAuthority } from "@agent-auth/test-authority";
import {
  chromiumMissing,
  launchChromium,
  type Browser,
  type Page,
} from "@agent-auth/tools/chromium";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { CliHome } from "../support/cli.ts";
import { codeOf, startLogin, type LoginOptions } from "./running-login.ts";

vi.setConfig({ testTimeout: 30_000 }); // a browser and a child process, on a busy machine

const BOLD = "\u001b[1m";

let authority: TestAuthority;
let home: CliHome;
beforeEach(async () => {
  authority = await startTestAuthority({ settings: { deviceIntervalSeconds: 1 } });
  home = await CliHome.make();
});
afterEach(async () => {
  await home[Symbol.asyncDispose]();
  await authority.close();
});

const login = (options: LoginOptions = {}, more: readonly string[] = []) =>
  startLogin(home, ["--device-auth", "--issuer", authority.issuer, ...more], options);

const missing = chromiumMissing();
if (missing !== null) console.warn(`device sign-in is not tested in a browser: ${missing}`);

describe.skipIf(missing !== null)("agent-auth login --device-auth, in Chromium", () => {
  let browser: Browser;
  let page: Page;
  beforeAll(async () => {
    browser = await launchChromium();
  }, 180_000);
  afterAll(() => browser?.close());
  beforeEach(async () => {
    page = await browser.newPage();
  });
  afterEach(() => page.context().close());

  it("signs in a person who enters the code, to the workspace that was picked", async () => {
    const other = authority.createAccount();
    await using running = login();
    const code = await codeOf(running);
    await page.goto(await running.says(/^http\S+\/codex\/device$/m));
    await page.fill("#user_code", code);
    await page.click("text=Continue");
    await page.check(`input[value="${other.accountId}"]`);
    await page.click("text=Approve");
    expect(await running.exit).toBe(0);
    expect(running.said()).toContain(other.email);
    const auth = JSON.parse((await home.readAuth()) ?? "null");
    expect(auth.tokens.account_id).toBe(other.accountId);
    for (const secret of [auth.tokens.access_token, auth.tokens.refresh_token, auth.OPENAI_API_KEY])
      expect(running.said()).not.toContain(secret);
  });

  it("keeps the stored credential if the person denies", async () => {
    await home.writeAuth({ OPENAI_API_KEY: "sk-earlier" });
    const before = await home.readAuth();
    await using running = login();
    await page.goto(`${authority.issuer}/codex/device`);
    await page.fill("#user_code", await codeOf(running));
    await page.click("text=Continue");
    await page.click("text=Deny");
    expect(await running.exit).toBe(1);
    expect(running.said()).toMatch(/^Error logging in: the sign-in was denied\./m);
    expect(await home.readAuth()).toBe(before);
  });
});

describe("agent-auth login --device-auth", () => {
  it.each([
    [
      "device codes are not enabled",
      { deviceSignInEnabled: false },
      /^Error logging in: device code login is not enabled at \S+ To sign in with a browser, run: agent-auth login$/m,
    ],
    [
      "the code has expired at the authority",
      { deviceCodeSeconds: 0 },
      /^Error logging in: the device code expired.* For a new code, run: agent-auth login --device-auth$/m,
    ],
  ])("says in one line that %s", async (_, settings, line) => {
    authority.configure(settings);
    await using running = login();
    expect(await running.exit).toBe(1);
    expect(running.said()).toMatch(line);
    expect(await home.readAuth()).toBeNull();
  });

  it("fails before it requests a code if the tokens could not be saved", async () => {
    await home.writeAuth({ OPENAI_API_KEY: "sk-earlier" });
    await chmod(home.authFile, 0o400);
    await using running = login();
    expect(await running.exit).toBe(1);
    expect(running.said()).toMatch(
      /^Error logging in: cannot save credentials in \S+auth\.json: .*\n$/,
    );
    expect(authority.requests).toEqual([]);
  });

  it("says in one line that there is no network", async () => {
    await authority.close();
    await using running = login();
    expect(await running.exit).toBe(1);
    expect(running.said()).toBe(
      `Error logging in: cannot reach ${authority.issuer}: connection refused. Check the network, then start the sign-in again. Run: agent-auth doctor\n`,
    );
  });

  it("names CODEX_CA_CERTIFICATE if the certificate of the authority is not trusted", async () => {
    const secure = await startTestAuthority({ tls: "self-signed" });
    await using running = startLogin(home, ["--device-auth", "--issuer", secure.issuer]);
    expect(await running.exit).toBe(1);
    expect(running.said()).toMatch(/^Error logging in: .*not trusted.*CODEX_CA_CERTIFICATE/m);
    await secure.close();
  });

  it("shows the code in bold with its remaining time, in 40 columns", async () => {
    await using running = login({ columns: 40 });
    await running.says(/Waiting for the code \(1[45]:\d\d left\)/);
    const [, code = ""] = running.said().split(BOLD);
    expect(code).toMatch(/^[A-Z]{4}-[A-Z]{4}.\[0m/s);
    expect(authority.decideDevice(code.slice(0, 9), { decision: "approve" })).toBe(true);
    expect(await running.exit).toBe(0);
  });

  it("uses no colour under NO_COLOR", async () => {
    await using running = login({ columns: 40, env: { NO_COLOR: "1" } });
    authority.decideDevice(await codeOf(running), { decision: "approve" });
    expect(await running.exit).toBe(0);
    expect(running.said()).not.toContain(BOLD);
  });

  it("still shows the page and the code with --quiet, and nothing else", async () => {
    await using running = login({}, ["--quiet"]);
    const code = await codeOf(running);
    authority.decideDevice(code, { decision: "approve" });
    expect(await running.exit).toBe(0);
    expect(running.said()).toBe(`\n${authority.issuer}/codex/device\n\n\n${code}\n\n`);
  });

  it("ends at Ctrl-C with exit code 2", async () => {
    await using running = login();
    await codeOf(running);
    running.child.kill("SIGINT");
    expect(await running.exit).toBe(2);
    expect(await home.readAuth()).toBeNull();
  });
});
