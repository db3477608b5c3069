import * as Effect from "effect/Effect";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { browserOpener, parseBrowser } from "../src/commands/login/open-browser.ts";

const link = "http://127.0.0.1:1455/open/secret";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "open-browser-"));
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

/** A program in the test's folder. */
const script = (name: string, body: string): string => {
  const path = join(folder, name);
  writeFileSync(path, `#!/bin/sh\n${body}\n`);
  chmodSync(path, 0o755);
  return path;
};

/** A browser that writes its arguments, one on a line, to a file beside it. */
const recorder = (name: string): string =>
  script(name, `printf '%s\\n' "$@" > "${folder}/${name}.args"`);

const recorded = (name: string): string | undefined => {
  const path = join(folder, `${name}.args`);
  return existsSync(path) ? readFileSync(path, "utf8") : undefined;
};

const open = (browser: string) => {
  const opener = browserOpener({ browser, hasDisplay: false, isRemote: false });
  if (opener === undefined) throw new Error("no browser is opened");
  return Effect.runPromise(Effect.result(opener(link)));
};

describe("parseBrowser", () => {
  it.each([
    ["firefox", [["firefox"]]],
    ["firefox --new-tab %s", [["firefox", "--new-tab", "%s"]]],
    ["firefox:chromium --incognito", [["firefox"], ["chromium", "--incognito"]]],
    [" : firefox : ", [["firefox"]]],
    [`'my browser' "--profile=a b" %s`, [["my browser", "--profile=a b", "%s"]]],
    [String.raw`my\ browser --profile=a\'b %s`, [["my browser", "--profile=a'b", "%s"]]],
    [String.raw`C\\browser %s`, [[String.raw`C\browser`, "%s"]]],
    [String.raw`a\browser %s`, [[String.raw`a\browser`, "%s"]]],
    ["firefox %s &", [["firefox", "%s"]]],
    ["firefox &:w3m", [["firefox"], ["w3m"]]],
    ["none", []],
    ["", []],
  ])("reads %j as %j", (browser, commands) => expect(parseBrowser(browser)).toEqual(commands));

  it("does not split the path of an existing file", () => {
    const path = recorder("my browser");
    expect(parseBrowser(path)).toEqual([[path]]);
  });
});

describe("browserOpener with BROWSER", () => {
  it("appends the link to a command without %s", async () => {
    await open(`${recorder("browser")} --new-tab`);
    expect(recorded("browser")).toBe(`--new-tab\n${link}\n`);
  });

  it("puts the link in place of %s", async () => {
    await open(`${recorder("browser")} --app=%s --new`);
    expect(recorded("browser")).toBe(`--app=${link}\n--new\n`);
  });

  it("does not hand over the variables that carry or select a credential", async () => {
    const variables = ["CODEX_API_KEY", "CODEX_ACCESS_TOKEN", "OPENAI_FEDERATION_RULE_ID"];
    for (const name of [...variables, "OTHER"]) vi.stubEnv(name, "value");
    const browser = script("browser", `env > "${folder}/browser.args"`);
    await open(browser);
    const names =
      recorded("browser")
        ?.split("\n")
        .map((line) => line.split("=")[0]) ?? [];
    expect(names).toContain("OTHER");
    expect(variables.filter((name) => names.includes(name))).toEqual([]);
  });

  it("uses the first command of the list that works", async () => {
    const failing = script("failing", "exit 3");
    await open(`/nonexistent/browser:${failing}:${recorder("third")}:${recorder("fourth")}`);
    expect([recorded("third"), recorded("fourth")]).toEqual([`${link}\n`, undefined]);
  });

  it("fails if no command of the list works", async () => {
    const result = await open(`/nonexistent/browser:${script("failing", "exit 3")}`);
    expect(result).toMatchObject({
      _tag: "Failure",
      failure: { message: "the browser exited with 3" },
    });
  });

  it("passes the link without a shell", async () => {
    await open(`${recorder("browser")} $(touch ${folder}/owned) %s`);
    expect(existsSync(join(folder, "owned"))).toBe(false);
  });

  it.each(["none", " none "])("opens nothing if it is %j", (browser) => {
    expect(browserOpener({ browser, hasDisplay: true, isRemote: false })).toBeUndefined();
  });
});

describe("browserOpener without BROWSER", () => {
  it.each([
    ["over SSH", { hasDisplay: true, isRemote: true }],
    ["without a display", { hasDisplay: false, isRemote: false }],
  ])("opens nothing %s", (_, terminal) => expect(browserOpener(terminal)).toBeUndefined());

  it("passes the link to macOS through stdin, not as an argument", async () => {
    script("osascript", `cat > "${folder}/stdin"; printf '%s' "$*" > "${folder}/osascript.args"`);
    vi.stubEnv("PATH", `${folder}:${process.env["PATH"] ?? ""}`);
    const opener = browserOpener({ hasDisplay: true, isRemote: false }, "darwin");
    await Effect.runPromise(opener?.(link) ?? Effect.die("no browser is opened"));
    expect(readFileSync(join(folder, "stdin"), "utf8")).toBe(`open location "${link}"\n`);
    expect(recorded("osascript")).toBe("");
  });
});
