/**
 * Every page of the callback server in a real browser. `UPDATE_SCREENSHOTS=1` writes what it saw to docs/screenshots.
 */
import { mkdir } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { join } from "node:path";
import {
  chromiumMissing,
  launchChromium,
  type Browser,
  type Page,
} from "@agent-auth/tools/chromium";
import { afterAll, assert, beforeAll, describe, it, vi } from "vitest";
import {
  AuthorizationDenied,
  AuthorizationFailed,
  CodexEntitlementMissing,
  CodeExchangeRejected,
} from "../../src/errors/oauth.ts";
import { WorkspaceNotAllowed } from "../../src/errors/index.ts";
import * as contents from "../../src/oauth/pages/contents.ts";
import { sendPage } from "../../src/oauth/pages/render.ts";
import { renderPage, type PageContent } from "../../src/oauth/pages/render.ts";

const hostile = '<img src="https://evil.example/x.png" onerror="document.title=\'owned\'">';

const pages: Readonly<Record<string, PageContent>> = {
  success: contents.signedIn,
  denied: contents.contentForError(
    new AuthorizationDenied({ description: "The resource owner denied the request." }),
  ),
  "missing-entitlement": contents.contentForError(new CodexEntitlementMissing()),
  "workspace-not-allowed": contents.contentForError(
    new WorkspaceNotAllowed({
      allowed: ["ws_2f6c1e08-5d0b-4c1c-9f5e-0a4b7d2c9e31", "ws_platform"],
      found: "ws_personal-7719",
    }),
  ),
  failed: contents.contentForError(
    new CodeExchangeRejected({ status: 400, error: "invalid_grant", description: "code expired" }),
  ),
  "state-mismatch": contents.stateMismatch,
  cancelled: contents.cancelled,
  "not-saved": contents.notSaved,
  "nothing-here": contents.notFound,
  hostile: contents.contentForError(
    new AuthorizationFailed({ error: "x", description: hostile + "W".repeat(200) }),
  ),
};
const shown = ["success", "denied", "missing-entitlement", "workspace-not-allowed", "failed"];

const screenshots = join(import.meta.dirname, "../../../../docs/screenshots");

vi.setConfig({ testTimeout: 30_000 });

const missing = chromiumMissing();
if (missing !== null) console.warn(`sign-in pages are not tested in a browser: ${missing}`);

describe.skipIf(missing !== null)("sign-in pages in Chromium", () => {
  let browser: Browser;
  let page: Page;
  let server: Server;
  let origin: string;

  beforeAll(async () => {
    server = createServer((request, response) => {
      const content = pages[request.url?.slice(1) ?? ""] ?? contents.notFound;
      sendPage(response, renderPage(content, "agent-auth"));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    origin = `http://127.0.0.1:${typeof address === "object" ? address?.port : ""}`;
    browser = await launchChromium();
    page = await browser.newPage();
  }, 180_000);

  afterAll(async () => {
    await browser?.close();
    server?.closeAllConnections();
    server?.close();
  });

  for (const [name, content] of Object.entries(pages)) {
    it(`shows ${name}, legible in light and dark colours, and loads nothing else`, async () => {
      const trouble = await open(page, `${origin}/${name}`);
      assert.strictEqual(await page.title(), `${content.title} · agent-auth`);
      assert.strictEqual(await page.textContent("h1"), content.title);
      for (const colorScheme of ["light", "dark"] as const) {
        await page.emulateMedia({ colorScheme });
        const background = await page.evaluate("getComputedStyle(document.body).backgroundColor");
        const expected = { light: "rgb(246, 246, 244)", dark: "rgb(17, 18, 20)" };
        assert.strictEqual(
          background,
          expected[colorScheme],
          "the style sheet got past the policy",
        );
        assert.isAtLeast(await lowestContrast(page), 4.5, "WCAG 2.2 AA");
        await shoot(page, `${name}-${colorScheme}`);
      }
      assert.deepStrictEqual(trouble, []);
    });

    it(`fits ${name} into narrow windows`, async () => {
      await open(page, `${origin}/${name}`);
      for (const width of [240, 360]) {
        await page.setViewportSize({ width, height: 620 });
        const overflow = await page.evaluate("document.documentElement.scrollWidth - innerWidth");
        assert.strictEqual(overflow, 0, `at ${width} pixels`);
      }
      await shoot(page, `${name}-narrow`);
    });
  }

  it("shows hostile text as text", async () => {
    await open(page, `${origin}/hostile`);
    assert.include(await page.innerText("dd"), hostile);
    assert.strictEqual(await page.locator("img, script, a, form, iframe").count(), 0);
  });
});

/** Opens a page in the tab of all tests, and notes everything that it should not do. */
const open = async (page: Page, url: string) => {
  const trouble: Array<string> = [];
  page.removeAllListeners();
  await page.setViewportSize({ width: 880, height: 620 });
  await page.emulateMedia({ colorScheme: null });
  page.on("request", (request) => {
    if (request.url() !== url && !request.url().endsWith("/favicon.ico"))
      trouble.push(request.url());
  });
  page.on("pageerror", (error) => trouble.push(error.message));
  page.on("console", (message) => {
    const text = message.text();
    if (!text.startsWith("Failed to load resource: the server responded")) trouble.push(text);
  });
  await page.goto(url);
  return trouble;
};

const shoot = async (page: Page, file: string): Promise<void> => {
  const wanted = shown.some((name) => file.startsWith(`${name}-`));
  if (process.env["UPDATE_SCREENSHOTS"] !== "1" || !wanted) return;
  await mkdir(screenshots, { recursive: true });
  await page.screenshot({ path: join(screenshots, `sign-in-${file}.png`) });
};

/** The lowest contrast ratio of any text on the page against what is painted behind it (WCAG 2.2, 1.4.3). */
const lowestContrast = (page: Page): Promise<number> =>
  page.evaluate<number>(`(() => {
    const channels = (color) => color.match(/[\\d.]+/g).map(Number);
    const light = (color) => {
      const [r, g, b] = channels(color).map((c) => c / 255)
        .map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const behind = (element) => {
      for (let at = element; at; at = at.parentElement) {
        const color = getComputedStyle(at).backgroundColor;
        if (channels(color)[3] !== 0) return color;
      }
      return "rgb(255, 255, 255)";
    };
    const ratios = [...document.querySelectorAll("h1, p, dt, dd, footer, .sign")].map((element) => {
      const pair = [light(getComputedStyle(element).color), light(behind(element))];
      return (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
    });
    return Math.min(...ratios);
  })()`);
