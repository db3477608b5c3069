// One after the other, so that they do not measure each other; each sets the exit code where it is over its limit.
await import("./start-up.ts");
await import("./proxy.ts");
