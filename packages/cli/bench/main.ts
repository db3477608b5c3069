// Runs the benchmarks one after the other, so that they do not disturb each other. Each sets the exit code if it is
// over its limit.
await import("./start-up.ts");
await import("./proxy.ts");
