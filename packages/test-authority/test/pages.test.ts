import { codexClientId, startTestAuthority } from "@agent-auth/test-authority";
import { chromiumMissing, launchChromium } from "@agent-auth/tools/chromium";
import type { Browser, Page } from "@agent-auth/tools/chromium";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import * as z from "zod";
import { post } from "./support/agent.ts";
import { beginSignIn } from "./support/oauth.ts";

const missing = chromiumMissing();
if (missing !== null) console.warn(`pages are not tested in a browser: ${missing}`);

const openPage = async (browser: Browser) => {
  const context = await browser.newContext({ viewport: { width: 320, height: 640 } });
  const page = await context.newPage();
  const complaints: Array<string> = [];
  page.on("console", (message) => complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(error.message));
  return { page, complaints };
};

const scrollsSideways = (page: Page) =>
  page.evaluate("document.documentElement.scrollWidth > innerWidth");

/** Simulates the program that waits for its callback. */
const startProgram = async () => {
  const visits: Array<URL> = [];
  const server = createServer((incoming, outgoing) => {
    visits.push(new URL(incoming.url ?? "/", "http://127.0.0.1"));
    outgoing.end("done");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address: string | AddressInfo | null = server.address();
  const port = typeof address === "object" ? address?.port : undefined;
  return {
    redirectUri: `http://127.0.0.1:${port}/auth/callback`,
    callbacks: () => visits.filter((url) => url.pathname === "/auth/callback"),
    [Symbol.dispose]() {
      server.close();
      server.closeAllConnections();
    },
  };
};

describe.skipIf(missing !== null)("the pages in a browser", () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launchChromium();
  }, 60_000);
  afterAll(() => browser.close());

  it(
    "let a user choose a workspace and approve with the keyboard",
    { timeout: 20_000 },
    async () => {
      await using authority = await startTestAuthority();
      using program = await startProgram();
      const second = authority.createAccount({ workspaceName: "Second" });
      const { page, complaints } = await openPage(browser);
      await page.goto(beginSignIn(authority, { redirect_uri: program.redirectUri }).url);
      expect(await scrollsSideways(page)).toBe(false);
      await page.keyboard.press("Tab");
      await page.keyboard.press("ArrowDown");
      expect(await page.getByRole("radio", { name: "Second" }).isChecked()).toBe(true);
      await page.keyboard.press("Tab");
      await page.keyboard.press("Enter");
      await page.waitForURL(/\/auth\/callback/);
      expect(program.callbacks()[0]?.searchParams.get("code")).toMatch(/^ac_/);
      const [decision] = authority.requestsTo("decide");
      expect(decision?.form().get("account")).toBe(second.accountId);
      expect(complaints).toEqual([]);
    },
  );

  it("let a user deny", { timeout: 20_000 }, async () => {
    await using authority = await startTestAuthority();
    using program = await startProgram();
    const { page } = await openPage(browser);
    await page.goto(beginSignIn(authority, { redirect_uri: program.redirectUri }).url);
    await page.getByRole("button", { name: "Deny" }).click();
    await page.waitForURL(/\/auth\/callback/);
    expect(program.callbacks()[0]?.searchParams.get("error")).toBe("access_denied");
  });

  it("accept a device code after a wrong one", { timeout: 20_000 }, async () => {
    await using authority = await startTestAuthority();
    const begun = await post(`${authority.issuer}/api/accounts/deviceauth/usercode`, {
      client_id: codexClientId,
    });
    const { user_code } = z.object({ user_code: z.string() }).parse(await begun.json());
    const { page } = await openPage(browser);
    await page.goto(`${authority.issuer}/codex/device`);
    await page.getByLabel("Code").fill("WRONG");
    await page.getByRole("button", { name: "Continue" }).click();
    expect(await page.getByRole("alert").textContent()).toContain("unknown");
    await page.getByLabel("Code").fill(user_code);
    await page.keyboard.press("Enter");
    await page.getByRole("button", { name: "Approve" }).click();
    await page.getByRole("heading", { name: "Device signed in" }).waitFor();
  });
});
