#!/usr/bin/env node
// The launcher loads nothing itself: it starts one bundle (rolldown.config.ts, docs/decisions/0061-launcher-and-bundles.md).
// It has to parse and run on any Node, to be able to report that the Node is too old.
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
    if (errno === "EPIPE") return; // the reader has closed the pipe
    process.exitCode = 1;
    tell(`Cannot write to stdout (${String(errno)}).`);
  }
};

/**
 * V8 executes what it finds in its compile cache, so the folder must belong to this user alone: it is our own, and the
 * sticky bit of the temporary folder keeps others from replacing it. Node's default folder could have been created by
 * anyone. node:os is not used, because it takes too long to load.
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
  if (typeof enableCompileCache !== "function") return; // not in Deno
  if (process.versions["bun"] !== undefined) return; // the executable holds what is compiled
  // The temporary folder of Windows is the user's own, and so is a folder that the user chose.
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
  } else if (first === "app-server" && (second === undefined || second.startsWith("-"))) {
    void import("./entries/app-server.ts").then(({ start }) => start(argv.slice(1)));
  } else if (first === "login" && second === "status") {
    void import("./entries/login-status.ts").then(({ start }) => start(argv.slice(2)));
  } else {
    void import("./main.ts").then(({ main }) => main(argv));
  }
};

const { bun, deno, node } = process.versions;
const [major = 0, minor = 0] = node.split(".").map(Number);
const isTooOld = major < 22 || (major === 22 && minor < 19);
if (argv.length === 1 && (first === "--version" || first === "-V")) tellVersion();
else if (isTooOld) {
  const [name, own] = bun ? ["Bun", bun] : ["Deno", deno];
  const what = own ? `${name} ${own}, which is compatible with Node ${node}` : `v${node}`;
  const newer = own ? name : "Node";
  tell(`agent-auth needs Node 22.19 or later; this is ${what}. Install a newer ${newer}.`);
  process.exitCode = 1;
} else start();
