// A real browser for tests: Debian's chromium, driven by playwright-core. `chromiumMissing` installs it if necessary and
// possible, and otherwise says why the tests that need it are skipped.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Browser } from "playwright-core";

export type { Browser, BrowserContext, Page } from "playwright-core";

const executable = process.env["CHROMIUM_PATH"] ?? "/usr/bin/chromium";
const installer = fileURLToPath(new URL("../debian-packages.sh", import.meta.url));
const packages = ["chromium", "fonts-dejavu-core", "fonts-liberation"];

/** The reason why there is no browser, or null if there is one; installs it if necessary. */
export const chromiumMissing = (): string | null => {
  if (existsSync(executable)) return null;
  const { status, stderr, error } = spawnSync(installer, packages, { encoding: "utf8" });
  if (status === 0 && existsSync(executable)) return null;
  const why = error?.message ?? stderr.trim().split("\n").at(-1) ?? "";
  return `no ${executable}, and tools/debian-packages.sh ${packages.join(" ")} failed: ${why}`;
};

/** Starts a headless Chromium without background requests. */
export const launchChromium = async (): Promise<Browser> => {
  const { chromium } = await import("playwright-core");
  return chromium.launch({
    executablePath: executable,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
};
