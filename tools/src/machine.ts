// Prints what decides which tests are skipped: Node's version and the programs that tests look for. The output is an
// input of every test target in nx.json, so that Nx does not reuse a cached result after a program was installed.
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";

/** Programs that tests look for; tools/debian-packages.sh installs them. */
const programs = [
  "bash",
  "chromium",
  "curl",
  "dbus-run-session",
  "fish",
  "gnome-keyring-daemon",
  "lowntfs-3g",
  "psql",
  "redis-server",
  "tmux",
  "zsh",
];
const folders = (process.env["PATH"] ?? "").split(delimiter);
const found = programs.filter((name) => folders.some((folder) => existsSync(join(folder, name))));

console.log(process.version, process.platform, process.arch, ...found);
