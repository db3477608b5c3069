import { spawnSync } from "node:child_process";
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface DebOptions {
  readonly version: string;
  /** Debian's name of the processor: `amd64`. */
  readonly architecture: string;
  readonly executable: string;
  /** The texts of the licences of what the executable holds. */
  readonly licenses: string;
  /** The package that is written. */
  readonly output: string;
}

/** Bun 1.4.5 needs symbols of glibc 2.17. */
const control = ({ architecture, version }: DebOptions): string => `Package: agent-auth
Version: ${version}
Architecture: ${architecture}
Maintainer: agent-auth <agent-auth@localhost>
Depends: libc6 (>= 2.17)
Suggests: gnome-keyring
Section: net
Priority: optional
Description: sign in to Codex and send authenticated model requests
 One executable without other requirements. It reads and writes the files of
 Codex, so that both can share a machine.
`;

/** Writes a Debian package with dpkg-deb. Its files belong to root. */
export const makeDeb = (options: DebOptions): void => {
  const folder = mkdtempSync(join(tmpdir(), "agent-auth-deb-"));
  try {
    chmodSync(folder, 0o755); // becomes the entry of the root folder
    const at = (path: string) => {
      mkdirSync(join(folder, path, ".."), { recursive: true, mode: 0o755 });
      return join(folder, path);
    };
    writeFileSync(at("DEBIAN/control"), control(options));
    copyFileSync(options.executable, at("usr/bin/agent-auth"));
    copyFileSync(options.licenses, at("usr/share/doc/agent-auth/copyright"));
    const args = ["--build", "--root-owner-group", "-Zxz", "-z1", folder, options.output];
    const { status, stderr, error } = spawnSync("dpkg-deb", args, { encoding: "utf8" });
    if (status !== 0) throw new Error(`dpkg-deb failed: ${error?.message ?? stderr}`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};
