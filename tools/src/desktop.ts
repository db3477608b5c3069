// A session bus and a gnome-keyring of one's own, in a folder of their own: the real OS keyring of a Linux desktop.
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

const isInstalled = (program: string): boolean =>
  spawnSync(program, ["--version"], { stdio: "ignore" }).error === undefined;

/** Why the keyring's tests cannot run here; `undefined` where they can. */
export const missingKeyring = ((): string | undefined => {
  if (process.platform !== "linux") return "the tests of the OS keyring need a Linux desktop's";
  const missing = ["dbus-run-session", "gnome-keyring-daemon"].filter((name) => !isInstalled(name));
  if (missing.length === 0) return undefined;
  return `${missing.join(" and ")} not found: run tools/debian-packages.sh`;
})();

export interface Desktop {
  /** What a process needs to use this keyring: `DBUS_SESSION_BUS_ADDRESS`. */
  readonly env: { readonly DBUS_SESSION_BUS_ADDRESS: string };
  /** Ends the keyring as a crash would; the bus starts another one, which nobody has unlocked. */
  readonly killKeyring: () => void;
  /** Has an unlocked keyring, with what was stored before, take the place of the one that runs now. */
  readonly unlockKeyring: () => void;
  readonly [Symbol.asyncDispose]: () => Promise<void>;
}

const askPid =
  "dbus-send --session --print-reply=literal --dest=org.freedesktop.DBus /org/freedesktop/DBus " +
  "org.freedesktop.DBus.GetConnectionUnixProcessID string:org.freedesktop.secrets | awk '{print $2}'";

// The daemon says that it is ready a little before its name is on the bus.
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

// The old one keeps its name for a while; whoever asked meanwhile would find it locked.
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
 * Starts a desktop, and lets this process use its keyring, too. One a process: D-Bus keeps the first address it is
 * given.
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
    throw new Error("no session bus with a keyring came up");
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
