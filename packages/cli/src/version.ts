declare const __VERSION__: string | undefined;

/** The package's version; set by the build. */
export const version = typeof __VERSION__ === "string" ? __VERSION__ : "0.0.0-source";

/** Whether this is the executable, which holds Bun (packages/cli/executable). */
export const isBun = process.versions["bun"] !== undefined;
