// A small disk whose names are not case-sensitive, as those of macOS and Windows: NTFS in a file, mounted through FUSE.
import { spawnSync } from "node:child_process";
import {
  accessSync,
  closeSync,
  ftruncateSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const run = (program: string, ...args: ReadonlyArray<string>): string | undefined => {
  const { error, status, stderr } = spawnSync(program, args, { encoding: "utf8" });
  return status === 0 ? undefined : `${program} failed: ${error?.message ?? stderr.trim()}`;
};

/** Why no such disk can be mounted here; `undefined` if one can. */
export const missingDisk = ((): string | undefined => {
  if (process.platform !== "linux" || process.getuid?.() !== 0)
    return "mounting a case-insensitive disk needs root on Linux";
  if (spawnSync("lowntfs-3g", ["--version"]).error !== undefined)
    return "lowntfs-3g not found: run tools/debian-packages.sh";
  try {
    accessSync("/dev/fuse");
    return undefined;
  } catch {
    return "there is no /dev/fuse";
  }
})();

export interface Disk {
  /** Where it is mounted; an empty folder of mode 0777 at first. */
  readonly path: string;
  readonly [Symbol.dispose]: () => void;
}

/** Mounts a new, empty disk until it is disposed of. It keeps modes and owners. */
export const mountCaseInsensitiveDisk = (): Disk => {
  const folder = mkdtempSync(join(tmpdir(), "agent-auth-disk-"));
  const [image, path] = [join(folder, "image"), join(folder, "mounted")];
  const file = openSync(image, "wx");
  ftruncateSync(file, 8 * 1024 * 1024);
  closeSync(file);
  mkdirSync(path);
  const problem =
    run("mkntfs", "-q", "-F", "-f", image) ??
    run("lowntfs-3g", "-o", "ignore_case,permissions", image, path);
  if (problem !== undefined) {
    rmSync(folder, { recursive: true });
    throw new Error(problem);
  }
  return {
    path,
    [Symbol.dispose]: () => {
      const unmounted = run("umount", path);
      if (unmounted !== undefined) throw new Error(unmounted);
      rmSync(folder, { recursive: true });
    },
  };
};
