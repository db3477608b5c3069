#!/usr/bin/env node
// Loads nothing: each hot command is a bundle of its own (rolldown.config.ts), everything else is in main. This file
// alone has to parse and run on any Node, to be able to say that it is too old.
import { lstatSync, mkdirSync, writeSync } from "node:fs";
import { enableCompileCache } from "node:module";

declare const __VERSION__: string | undefined;
const version = typeof __VERSION__ === "string" ? __VERSION__ : "0.0.0-source";

const argv = process.argv.slice(2);
const [first, second] = argv;

const tell = (line: string) => {
  try {
    writeSync(2, `${line}\n`);
  } catch {}
};

const tellVersion = () => {
  try {
    writeSync(1, `${version}\n`);
  } catch (error) {
    const errno = error instanceof Error && "code" in error ? error.code : undefined;
    if (errno === "EPIPE") return; // whoever asked has gone
    process.exitCode = 1;
    tell(`Cannot write to stdout (${String(errno)}).`);
  }
};

/**
 * V8 runs what it finds in its cache, so that has to be this user's alone: a folder of our own name, which the sticky
 * bit of the temporary folder keeps others from replacing. Node's default is one that anybody may have made first.
 * Without node:os, whose loading costs more than it is worth.
 */
const privateCacheFolder = () => {
  const { TMPDIR, TMP, TEMP } = process.env;
  const uid = process.getuid?.();
  const folder = `${TMPDIR || TMP || TEMP || "/tmp"}/agent-auth-cache-${uid}`;
  try {
    mkdirSync(folder, { mode: 0o700 });
  } catch {}
  const stats = lstatSync(folder, { throwIfNoEntry: false });
  const isOurs = stats?.isDirectory() === true && stats.uid === uid && (stats.mode & 0o077) === 0;
  return isOurs ? folder : undefined;
};

const useCompileCache = () => {
  // Windows' temporary folder is the user's own; a folder that the user chose is the user's choice.
  if (process.env["NODE_COMPILE_CACHE"] || process.platform === "win32")
    return void enableCompileCache();
  const folder = privateCacheFolder();
  if (folder !== undefined) enableCompileCache(folder);
};

const start = () => {
  useCompileCache();
  if (first === "token") {
    void import("./entries/token.ts").then(({ start }) => start(argv.slice(1)));
  } else if (first === "api") {
    void import("./entries/api.ts").then(({ start }) => start(argv.slice(1)));
  } else if (first === "login" && second === "status") {
    void import("./entries/login-status.ts").then(({ start }) => start(argv.slice(2)));
  } else {
    void import("./main.ts").then(({ main }) => main(argv));
  }
};

const isOldNode = typeof enableCompileCache !== "function";
if (argv.length === 1 && (first === "--version" || first === "-V")) tellVersion();
else if (isOldNode) {
  tell(`agent-auth needs Node 22.19 or later; this is ${process.version}. Install a newer Node.`);
  process.exitCode = 1;
} else start();
