import { defineProject, mergeConfig } from "vitest/config";
import shared from "../../vitest.shared.ts";

// These tests wait for child processes most of the time, so a core has room for more than one file.
export default mergeConfig(shared, defineProject({ test: { name: "cli", maxWorkers: 3 } }));
