import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import type { CodexHome } from "../../src/config/environment.ts";
import { type Ended, start } from "./start-program.ts";

const findCodex = (): string | undefined => {
  try {
    const launcher = createRequire(import.meta.url).resolve("@openai/codex/bin/codex.js");
    return existsSync(launcher) ? launcher : undefined;
  } catch {
    return undefined; // no binary for this platform
  }
};

const launcher = findCodex();

/** Why tests against the real Codex cannot run here; `undefined` where they can. */
export const missingCodex =
  launcher === undefined ? "@openai/codex is not installed for this platform" : undefined;

/** Runs the real Codex command line on a CODEX_HOME, with `input` on its standard input. */
export const runCodex = (
  home: CodexHome,
  args: ReadonlyArray<string>,
  input = "",
): Promise<Ended> => {
  const codex = start([process.execPath, launcher ?? "", ...args], {
    stdio: ["pipe", "pipe", "pipe"],
    env: {
      PATH: process.env["PATH"],
      HOME: home.path,
      CODEX_HOME: home.path,
      DBUS_SESSION_BUS_ADDRESS: process.env["DBUS_SESSION_BUS_ADDRESS"],
    },
  });
  codex.child.stdin?.end(input);
  return codex.ended;
};
