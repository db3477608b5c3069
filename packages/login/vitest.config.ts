import { defineProject, mergeConfig } from "vitest/config";
import shared, { withHeavyFiles } from "../../vitest.shared.ts";

const config = mergeConfig(
  shared,
  defineProject({ test: { name: "login", setupFiles: ["test/support/clean-up.ts"] } }),
);

/** Files with a browser or many processes, and the storage with a canary in every secret. */
export default withHeavyFiles(config, [
  "canary-storage",
  "home-lock.links",
  "home-lock.processes",
  "kill-during-save",
  "lock-file",
  "manager/workspace.processes",
  "oauth/pages",
]);
