import { defineProject, mergeConfig } from "vitest/config";
import shared, { withHeavyFiles } from "../../vitest.shared.ts";

// Vitest leaves one core free, but these tests mostly wait for programs that they started.
const config = mergeConfig(shared, defineProject({ test: { name: "cli", maxWorkers: 3 } }));

/** Files with a browser, a keyring, whole sessions in a terminal, or one case for each store. */
export default withHeavyFiles(config, [
  "accounts",
  "app-server.hostile",
  "completion",
  "environment",
  "e2e/*",
  "full-disk",
  "gateway",
  "keyring",
  "managed-machine",
  "other-runtimes",
  "proxy-follow",
  "real-codex-*",
  "requests-per-process",
  "shared-store",
  "spend-nothing",
  "terminal-session",
  "transcript",
]);
