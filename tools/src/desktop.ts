// A session bus and a gnome-keyring in a temporary folder: the real OS keyring of a Linux desktop.
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

const isInstalled = (program: string): boolean =>
  spawnSync(program, ["--version"], { stdio: "ignore" }).error === undefined;

/** The reason why the keyring's tests cannot run here; `undefined` if they can. */
export const missingKeyring = ((): string | undefined => {
  if (process.platform !== "linux") return "the tests of the OS keyring need Linux";
  const missing = ["dbus-run-session", "gnome-keyring-daemon"].filter((name) => !isInstalled(name));
  if (missing.length === 0) return undefined;
  return `${missing.join(" and ")} not found: run tools/debian-packages.sh`;
})();

export interface Desktop {
  /** The variable with which a process uses this keyring. */
  readonly env: { readonly DBUS_SESSION_BUS_ADDRESS: string };
  /** Kills the keyring. The bus starts another one, which is locked. */
  readonly killKeyring: () => void;
  /** Replaces the running keyring by an unlocked one with the same contents. */
  readonly unlockKeyring: () => void;
  readonly [Symbol.asyncDispose]: () => Promise<void>;
}

const askPid =
  "dbus-send --session --print-reply=literal --dest=org.freedesktop.DBus /org/freedesktop/DBus " +
  "org.freedesktop.DBus.GetConnectionUnixProcessID string:org.freedesktop.secrets | awk '{print $2}'";

// The daemon reports that it is ready before its name is on the bus.
const script = `
ask() { ${askPid} 2>/dev/null; }
printf password | gnome-keyring-daemon --unlock --components=secrets >/dev/null
tries=0
until pid=$(ask) && [ -n "$pid" ]; do
  tries=$((tries + 1))
  [ $tries -lt 250 ] || exit 1
  sleep 0.02
done
echo "$DBUS_SESSION_BUS_ADDRESS $pid"
cat >/dev/null
kill "$(ask)"
`;

// The old daemon keeps its name for a while, and is locked.
const replace = `
ask() { ${askPid} 2>/dev/null; }
before=$(ask)
printf password | gnome-keyring-daemon --replace --unlock --components=secrets >/dev/null 2>&1
tries=0
until pid=$(ask) && [ -n "$pid" ] && [ "$pid" != "$before" ]; do
  tries=$((tries + 1))
  [ $tries -lt 250 ] || exit 1
  sleep 0.02
done
`;

/**
 * Starts a session bus and an unlocked keyring, and sets this process's `DBUS_SESSION_BUS_ADDRESS` until it is disposed of. Call it once per
 * process: D-Bus keeps the first address.
 */
export const startDesktop = async (): Promise<Desktop> => {
  const folder = mkdtempSync(join(tmpdir(), "agent-auth-desktop-"));
  const runtime = join(folder, "run");
  mkdirSync(runtime, { mode: 0o700 });
  const env = {
    PATH: process.env["PATH"],
    HOME: folder,
    XDG_DATA_HOME: folder,
    XDG_RUNTIME_DIR: runtime,
  };
  const session = spawn("dbus-run-session", ["--", "sh", "-c", script], {
    stdio: ["pipe", "pipe", "ignore"],
    env,
  });
  const ended = new Promise<void>((resolve) => session.once("close", () => resolve()));
  const [address, pid] = (await firstLine(session.stdout)).split(" ");
  const keyringPid = Number(pid);
  if (address === undefined || address === "" || !(keyringPid > 1))
    throw new Error("the session bus or the keyring did not start");
  const previous = process.env["DBUS_SESSION_BUS_ADDRESS"];
  process.env["DBUS_SESSION_BUS_ADDRESS"] = address;
  return {
    env: { DBUS_SESSION_BUS_ADDRESS: address },
    killKeyring: () => process.kill(keyringPid, "SIGKILL"),
    unlockKeyring: () => {
      const { status } = spawnSync("sh", ["-c", replace], {
        env: { ...env, DBUS_SESSION_BUS_ADDRESS: address },
        stdio: "ignore",
      });
      if (status !== 0) throw new Error("the keyring could not be unlocked");
    },
    [Symbol.asyncDispose]: async () => {
      if (previous === undefined) delete process.env["DBUS_SESSION_BUS_ADDRESS"];
      else process.env["DBUS_SESSION_BUS_ADDRESS"] = previous;
      session.stdin.end();
      await ended;
      rmSync(folder, { recursive: true, force: true });
    },
  };
};

const firstLine = async (stream: NodeJS.ReadableStream): Promise<string> => {
  for await (const line of createInterface({ input: stream })) return line;
  return "";
};
