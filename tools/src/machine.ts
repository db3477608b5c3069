// Would catch: a test result out of Nx's cache that this machine would not give. Some tests are skipped where a program
// is missing; without this, they would stay skipped after somebody installed it. nx.json counts what is printed here
// among the inputs of every test run.
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";

/** What a test looks for; tools/debian-packages.sh installs them. */
const programs = [
  "bash",
  "chromium",
  "curl",
  "dbus-run-session",
  "fish",
  "gnome-keyring-daemon",
  "tmux",
  "zsh",
];
const folders = (process.env["PATH"] ?? "").split(delimiter);
const found = programs.filter((name) => folders.some((folder) => existsSync(join(folder, name))));

console.log(process.version, process.platform, process.arch, ...found);
