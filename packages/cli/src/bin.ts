#!/usr/bin/env node
// Loads nothing: each hot command is a bundle of its own (rolldown.config.ts), everything else is in main.
import { writeSync } from "node:fs";
import { enableCompileCache } from "node:module";

declare const __VERSION__: string | undefined;
const version = typeof __VERSION__ === "string" ? __VERSION__ : "0.0.0-source";

const argv = process.argv.slice(2);
const [first, second] = argv;

const isVersion = argv.length === 1 && (first === "--version" || first === "-V");
if (isVersion) {
  try {
    writeSync(1, `${version}\n`);
  } catch {
    // Nobody reads stdout; there is nobody to tell either.
  }
} else {
  enableCompileCache();
  if (first === "token") {
    void import("./hot/token.ts").then(({ start }) => start(argv.slice(1)));
  } else if (first === "api") {
    void import("./hot/api.ts").then(({ start }) => start(argv.slice(1)));
  } else if (first === "login" && second === "status") {
    void import("./hot/login-status.ts").then(({ start }) => start(argv.slice(2)));
  } else {
    void import("./main.ts").then(({ main }) => main(argv));
  }
}
