import { defineProject, mergeConfig } from "vitest/config";
import shared, { withHeavyFiles } from "../../vitest.shared.ts";

const config = mergeConfig(shared, defineProject({ test: { name: "login-sql" } }));

export default withHeavyFiles(config, ["storm"]);
