// Replaces the package @napi-rs/keyring in the executable, which holds its native module. Bun would copy the module into the
// temporary folder and leave it there. Here it is loaded from memory on Linux, and from a private file elsewhere.
"use strict";

const { createHash, randomUUID } = require("node:crypto");
const fs = require("node:fs");
const { tmpdir } = require("node:os");
const nodePath = require("node:path");
const embedded = require("./keyring.bin"); // a path within the executable

const load = (path) => {
  const loaded = { exports: {} };
  process.dlopen(loaded, path);
  return loaded.exports;
};

const MFD_CLOEXEC = 1;

/** A file without a name, in memory: it needs no folder in which files may be executed, and it vanishes with the process. */
const openInMemory = () => {
  const { dlopen, ptr } = process.getBuiltinModule("bun:ffi");
  const musl = `libc.musl-${process.arch === "arm64" ? "aarch64" : "x86_64"}.so.1`;
  for (const library of ["libc.so.6", musl]) {
    try {
      const functions = { memfd_create: { args: ["ptr", "u32"], returns: "i32" } };
      const { memfd_create } = dlopen(library, functions).symbols;
      const fd = memfd_create(ptr(Buffer.from("keyring\0")), MFD_CLOEXEC);
      if (fd >= 0) return fd;
    } catch {}
  }
  return undefined;
};

const fromMemory = (bytes) => {
  const fd = openInMemory();
  if (fd === undefined) return undefined;
  try {
    for (let at = 0; at < bytes.length;) at += fs.writeSync(fd, bytes, at);
    return load(`/proc/self/fd/${fd}`);
  } catch {
    return undefined; // without /proc, or where memory must not be executed
  } finally {
    fs.closeSync(fd);
  }
};

/** A file in a new folder of this user alone. It is removed as soon as it is loaded. */
const fromTemporaryFile = (bytes) => {
  const folder = fs.mkdtempSync(nodePath.join(tmpdir(), "agent-auth-"));
  try {
    const path = nodePath.join(folder, "keyring.node");
    fs.writeFileSync(path, bytes, { mode: 0o500 });
    return load(path);
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
};

/** Windows does not remove a file that is loaded, so one is kept in the user's own folder, and used if it is unchanged. */
const fromKeptFile = (bytes) => {
  const { LOCALAPPDATA, USERPROFILE } = process.env;
  const folder = nodePath.join(
    LOCALAPPDATA || nodePath.join(USERPROFILE ?? "", "AppData", "Local"),
    "agent-auth",
  );
  fs.mkdirSync(folder, { recursive: true });
  const digest = createHash("sha256").update(bytes).digest("hex");
  const path = nodePath.join(folder, `keyring-${digest.slice(0, 16)}.node`);
  if (!isSame(path, bytes)) {
    const temporary = `${path}.${randomUUID()}`;
    fs.writeFileSync(temporary, bytes);
    fs.renameSync(temporary, path);
  }
  return load(path);
};

const isSame = (path, bytes) => {
  try {
    return fs.readFileSync(path).equals(bytes);
  } catch {
    return false;
  }
};

const bytes = fs.readFileSync(embedded);
module.exports =
  process.platform === "win32"
    ? fromKeptFile(bytes)
    : (process.platform === "linux" && fromMemory(bytes)) || fromTemporaryFile(bytes);
