import { execFileSync, spawnSync } from "node:child_process";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { makeDeb } from "../install/deb.ts";

const canInstall =
  process.geteuid?.() === 0 && spawnSync("dpkg", ["--print-architecture"]).status === 0;
const why = canInstall ? "" : " (skipped: needs root, and dpkg)";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "agent-auth-deb-test-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe.skipIf(!canInstall)(`the Debian package${why}`, () => {
  it("is installed in a private root, and removed without a trace", () => {
    const [executable, licenses] = [join(folder, "executable"), join(folder, "licenses.txt")];
    writeFileSync(executable, "#!/bin/sh\necho 1.2.3\n");
    chmodSync(executable, 0o755);
    writeFileSync(licenses, "licences\n");
    const output = join(folder, "agent-auth.deb");
    const architecture = execFileSync("dpkg", ["--print-architecture"], {
      encoding: "utf8",
    }).trim();
    makeDeb({ version: "1.2.3", architecture, executable, licenses, output });

    const entries = execFileSync("dpkg-deb", ["--contents", output], { encoding: "utf8" });
    expect(entries.split("\n")[0]).toMatch(/^drwxr-xr-x root\/root .* \.\/$/u);

    const root = join(folder, "root");
    mkdirSync(join(root, "var/lib/dpkg/info"), { recursive: true });
    mkdirSync(join(root, "var/lib/dpkg/updates"));
    writeFileSync(join(root, "var/lib/dpkg/status"), "");
    // The root holds no C library.
    const dpkg = (...args: readonly string[]) =>
      execFileSync("dpkg", [`--root=${root}`, "--force-depends", ...args], {
        encoding: "utf8",
        stdio: "pipe",
      });
    dpkg("--install", output);
    const installed = join(root, "usr/bin/agent-auth");
    expect(execFileSync(installed, { encoding: "utf8" })).toBe("1.2.3\n");
    expect(statSync(installed).mode & 0o777).toBe(0o755);
    expect(statSync(installed).uid).toBe(0);
    expect(readFileSync(join(root, "usr/share/doc/agent-auth/copyright"), "utf8")).toBe(
      "licences\n",
    );
    const status = readFileSync(join(root, "var/lib/dpkg/status"), "utf8");
    expect(status).toMatch(/^Package: agent-auth\nStatus: install ok installed$/mu);
    dpkg("--purge", "agent-auth");
    expect(statSync(join(root, "usr/bin"), { throwIfNoEntry: false })).toBeUndefined();
  });
});
