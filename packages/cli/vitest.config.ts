import { defineProject, mergeConfig } from "vitest/config";
import shared from "../../vitest.shared.ts";

// Vitest leaves one core free, but these tests mostly wait for programs that they started.
export default mergeConfig(shared, defineProject({ test: { name: "cli", maxWorkers: 3 } }));
