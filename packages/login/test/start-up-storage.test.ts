import { describe, expect, it } from "vitest";
import { program, start } from "./support/start-program.ts";

/** Packages that cost a start-up dearly, or that may not be installed at all. */
const heavy = ["undici", "zod", "smol-toml", "koffi", "@napi-rs/keyring", "jose", "oauth4webapi"];

describe("importing", () => {
  it.each([
    "config/environment",
    "config/index",
    "storage/auth-json/index",
    "storage/index",
    "storage/configured",
    "storage/file",
    "storage/keyring",
    "storage/auto",
    "storage/ephemeral",
    "storage/lock/index",
    "http/index",
  ])("%s loads no heavy package until it is used", async (module) => {
    const { stdout, stderr } = await start(program("import", module)).ended;
    const packages = stdout.trim().split(" ");
    expect(stderr).toBe("");
    expect(packages).toContain("effect");
    expect(packages.filter((name) => heavy.includes(name))).toEqual([]);
  });
});
