import { describe, expect, it } from "vitest";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { isInUse, onceNotInUse } from "../src/storage/fs/in-use.ts";
import { replaceFile } from "../src/storage/fs/replace.ts";
import { othersIn, privateAccessList } from "../src/storage/windows/access-list.ts";
import { loadWindowsFunctions } from "../src/storage/windows/functions.ts";
import { findOtherUsers } from "../src/storage/windows/index.ts";
import { temporaryFolder } from "./support/home.ts";

const ada = "S-1-5-21-1-2-3-1001";
const bob = "S-1-5-21-1-2-3-1002";

const fail = (): string => {
  throw Object.assign(new Error("GetNamedSecurityInfoW: EACCES"), { code: "EACCES" });
};

describe("the access list of a file on Windows", () => {
  it.each([
    ["the list that agent-auth writes", privateAccessList(ada), [], []],
    ["a file in a profile folder", `D:AI(A;ID;FA;;;SY)(A;ID;FA;;;BA)(A;ID;FA;;;${ada})`, [], []],
    ["a file that Everyone reads", `D:(A;;FA;;;${ada})(A;;0x1200a9;;;WD)`, ["Everyone"], []],
    [
      "a folder of drive C",
      "D:AI(A;ID;0x1200a9;;;BU)(A;ID;0x1301bf;;;AU)",
      ["Users", "Authenticated Users"],
      ["Authenticated Users"],
    ],
    ["a named user who writes", `D:(A;;FRFW;;;${bob})`, [bob], [bob]],
    ["a named user who reads", `D:(A;;FR;;;${bob})`, [bob], []],
    ["someone who may take it over", `D:(A;;WO;;;${bob})`, [bob], [bob]],
    ["a denied user", `D:(D;;FA;;;${bob})(A;;FA;;;${ada})`, [], []],
    ["an entry for new files only", `D:(A;OICIIO;GA;;;WD)(A;OICI;FA;;;${ada})`, [], []],
    ["the same user twice", `D:(A;;FR;;;${bob})(A;;FW;;;${bob})`, [bob], [bob]],
    [
      "someone who writes under a condition",
      `D:(XA;;FW;;;${bob};(@User.Title=="PM" && (Member_of {SID(BA)})))`,
      [bob],
      [bob],
    ],
    [
      "someone named after an entry with a condition",
      `D:(XA;;FA;;;SY;(@User.Title=="PM"))(A;;FA;;;WD)`,
      ["Everyone"],
      ["Everyone"],
    ],
    ["rights with the name that they have for registry keys", `D:(A;;KA;;;${bob})`, [bob], [bob]],
    ["an empty list", "D:P", [], []],
    ["no list", "", ["Everyone"], ["Everyone"]],
    ["a list that is null", "D:NO_ACCESS_CONTROL", ["Everyone"], ["Everyone"]],
  ])("names who else has access, and who can change it: %s", (_, list, any, write) => {
    expect(othersIn(list, ada, "any")).toEqual(any);
    expect(othersIn(list, ada, "write")).toEqual(write);
  });

  it("is read through the functions of Windows", async () => {
    const functions = { accessListOf: () => `D:(A;;FA;;;${bob})`, userSid: () => ada };
    expect(await findOtherUsers("x", "any", functions)).toEqual({ _tag: "Known", users: [bob] });
  });

  it("is unknown if Windows does not return it", async () => {
    const functions = { accessListOf: fail, userSid: () => ada };
    expect(await findOtherUsers("x", "any", functions)).toEqual({
      _tag: "Unknown",
      reason: "GetNamedSecurityInfoW: EACCES",
    });
  });

  it("is unknown without koffi, and so on other platforms", async () => {
    if ((await loadWindowsFunctions()) !== undefined) return;
    expect(await findOtherUsers("x", "any")).toEqual({
      _tag: "Unknown",
      reason: "the optional package koffi is not installed",
    });
  });
});

/** Fails like a rename of Windows while another program has the file open. */
const failing = (times: number, code: string) => {
  let calls = 0;
  const change = async () => {
    calls++;
    if (calls <= times) throw Object.assign(new Error(code), { code });
    return calls;
  };
  return { change, calls: () => calls };
};

describe("a file that another program has open", () => {
  it.each(["EPERM", "EACCES", "EBUSY"])("is tried again on Windows after %s", async (code) => {
    expect(await onceNotInUse(failing(3, code).change, { platform: "win32" })).toBe(4);
  });

  it.each([
    ["linux", "EPERM"],
    ["darwin", "EBUSY"],
    ["win32", "ENOSPC"],
    ["win32", "ENOENT"],
  ] as const)("is not tried again on %s after %s", async (platform, code) => {
    const { calls, change } = failing(1, code);
    await expect(onceNotInUse(change, { platform })).rejects.toMatchObject({ code });
    expect([calls(), isInUse(code, platform)]).toEqual([1, false]);
  });

  it("is given up after a while, with the error of the system", async () => {
    const { calls, change } = failing(Infinity, "EPERM");
    const options = { platform: "win32", maxWaitMs: 60 } as const;
    await expect(onceNotInUse(change, options)).rejects.toMatchObject({ code: "EPERM" });
    expect(calls()).toBeGreaterThan(1);
  });

  it("can be replaced when that program closes it", async () => {
    const folder = temporaryFolder();
    const path = join(folder, "auth.json");
    writeFileSync(path, "old");
    const reader = await open(path);
    const replaced = replaceFile({ path }, "new");
    setImmediate(() => void reader.close());
    await replaced;
    expect([readFileSync(path, "utf8"), readdirSync(folder)]).toEqual(["new", ["auth.json"]]);
  });
});

const windows = await loadWindowsFunctions();
if (windows === undefined) console.warn("skipped: access lists exist on Windows only");

const reason = windows === undefined ? " (skipped: needs Windows and koffi)" : "";

describe.skipIf(windows === undefined)(`on Windows${reason}`, () => {
  it("a file that is replaced can be accessed by its owner only", async () => {
    const folder = temporaryFolder();
    const path = join(folder, "auth.json");
    writeFileSync(path, "old");
    await replaceFile({ path }, "new");
    expect(await findOtherUsers(path, "any")).toEqual({ _tag: "Known", users: [] });
    expect(readFileSync(path, "utf8")).toBe("new");
  });

  it("a locked file is busy for other handles, until its handle is closed", () => {
    if (windows === undefined) return;
    const path = join(temporaryFolder(), "auth.lock");
    const [first, second] = [windows.openToLock(path), windows.openToLock(path)];
    expect([windows.tryLock(first), windows.tryLock(second)]).toEqual(["taken", "busy"]);
    windows.close(first);
    expect(windows.tryLock(second)).toBe("taken");
    windows.close(second);
  });
});
