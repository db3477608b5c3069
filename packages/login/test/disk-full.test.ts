import { describe, expect, it } from "vitest";
import { spawnSync } from "node:child_process";
import { temporaryHome } from "./support/home.ts";
import { program, start } from "./support/start-program.ts";

const outcomeOf = async (command: ReadonlyArray<string>): Promise<unknown> => {
  const { stdout, stderr } = await start(command).ended;
  expect(stderr).toBe("");
  expect(stdout).not.toContain("canary");
  return JSON.parse(stdout);
};

const expected = (systemCode: string, reason: string) => ({
  codes: [
    ["LOGIN_STORE_UNWRITABLE", systemCode],
    ["LOGIN_STORE_UNWRITABLE", systemCode],
  ],
  names: ["auth.json", "filler"],
  file: `{\n  "OPENAI_API_KEY": "sk-old"\n}`,
  messages: [
    expect.stringMatching(new RegExp(`^cannot save credentials in .*auth.json: ${reason}$`)),
    expect.stringContaining(reason),
    expect.stringContaining(reason),
  ],
});

// A disk of 64 KiB in memory, seen by the program only.
const onSmallDisk = (home: string, command: ReadonlyArray<string>): ReadonlyArray<string> => [
  "unshare",
  "--map-root-user",
  "--mount",
  "sh",
  "-c",
  'mount -t tmpfs -o size=64k none "$1" && shift && exec "$@"',
  "sh",
  home,
  ...command,
];

const canMount = ((): boolean => {
  const [file = "", ...args] = onSmallDisk("/mnt", ["true"]);
  return spawnSync(file, args).status === 0;
})();
if (!canMount) console.warn("skipped: a disk in memory cannot be mounted here (unshare, tmpfs)");

const canLimit = spawnSync("prlimit", ["--version"]).status === 0;
if (!canLimit) console.warn("skipped: prlimit of util-linux is not installed");

describe("CredentialStore.save, file, on a disk without space", () => {
  it.skipIf(!canMount)(
    "fails with ENOSPC, also beforehand, and keeps the old credential",
    async () => {
      const { path } = temporaryHome();
      const outcome = await outcomeOf(onSmallDisk(path, program("fill-disk", path)));
      expect(outcome).toEqual(expected("ENOSPC", "the disk is full"));
    },
  );

  it.skipIf(!canMount)(
    "is detected in advance if a file with much more than a sign-in would not fit a second time",
    async () => {
      const { path } = temporaryHome();
      const outcome = await outcomeOf(onSmallDisk(path, program("crowd-disk", path)));
      expect(outcome).toEqual({
        code: "LOGIN_STORE_UNWRITABLE",
        message: expect.stringContaining("the disk is full"),
        OPENAI_API_KEY: "sk-old",
      });
    },
  );

  it.skipIf(!canLimit)(
    "fails if a limit truncates the temporary file, and keeps the old credential",
    async () => {
      const { path } = temporaryHome();
      const limited = ["prlimit", "--fsize=8192", ...program("fill-disk", path)];
      const outcome = await outcomeOf(limited);
      expect(outcome).toEqual(
        expected("EFBIG", "the file would exceed the size limit of this process"),
      );
    },
  );
});
