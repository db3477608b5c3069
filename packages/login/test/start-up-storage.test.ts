import { describe, expect, it } from "vitest";
import { program, start } from "./support/programs.ts";

/** Packages that cost a start-up dearly, or that may not be installed at all. */
const heavy = ["undici", "zod", "smol-toml", "koffi", "@napi-rs/keyring", "jose", "oauth4webapi"];

describe("importing", () => {
  it.each([
    "environment",
    "config",
    "auth-json",
    "credential-store",
    "credential-store-configured",
    "credential-store-file",
    "credential-store-keyring",
    "credential-store-auto",
    "credential-store-ephemeral",
    "home-lock",
    "http-client",
  ])("%s loads no heavy package until it is used", async (module) => {
    const { stdout, stderr } = await start(program("import", module)).ended;
    const packages = stdout.trim().split(" ");
    expect(stderr).toBe("");
    expect(packages).toContain("effect");
    expect(packages.filter((name) => heavy.includes(name))).toEqual([]);
  });
});
