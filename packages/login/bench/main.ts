// One after the other, so that they do not measure each other; each sets the exit code where it is over its limit.
await import("./storage.ts");
await import("./auth-manager.ts");
