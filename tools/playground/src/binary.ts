import { resolve } from "node:path";

/** The built `agent-auth`. */
export const binary = resolve(import.meta.dirname, "../../../packages/cli/dist/agent-auth.cjs");
