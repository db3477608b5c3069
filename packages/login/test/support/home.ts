import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { CodexHome } from "../../src/config/environment.ts";

const made: Array<string> = [];

/** Removes the folders that a test has made; `clean-up.ts` calls it after each test. */
export const removeTemporaryFolders = (): void => {
  for (const path of made.splice(0)) rmSync(path, { recursive: true, force: true });
};

/** A new folder that is gone after the test. */
export const temporaryFolder = (): string => {
  const path = realpathSync(mkdtempSync(join(tmpdir(), "agent-auth-test-")));
  made.push(path);
  return path;
};

/** A new, empty CODEX_HOME that is gone after the test. */
export const temporaryHome = (): CodexHome => ({ path: temporaryFolder(), explicit: true });
