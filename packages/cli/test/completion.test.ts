import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CliHome } from "./support/cli.ts";

let home: CliHome;
beforeAll(async () => {
  home = await CliHome.make();
  mkdirSync(join(home.path, "accounts/work"), { recursive: true });
});
afterAll(() => home[Symbol.asyncDispose]());

const script = async (shell: string) => {
  const { exitCode, stdout, stderr } = await home.run(["completion", shell]);
  expect([exitCode, stderr]).toEqual([0, ""]);
  const path = join(home.path, `completion.${shell}`);
  writeFileSync(path, stdout);
  return path;
};

const has = (shell: string) => {
  const found = spawnSync(shell, ["--version"]).error === undefined;
  if (!found) console.warn(`skipped: no ${shell} here; run: tools/debian-packages.sh ${shell}`);
  return found;
};

const cases: readonly (readonly [readonly string[], readonly string[]])[] = [
  [["lo"], ["login", "logout"]],
  [["login", "s"], ["status"]],
  [
    ["login", "--with-a"],
    ["--with-api-key", "--with-agent-identity", "--with-access-token"],
  ],
  [["-c", "a=b", "login", "status", "--j"], ["--json"]],
  [["accounts", "a"], ["add"]],
  [["accounts", "use", "w"], ["work"]],
  [["completion", "z"], ["zsh"]],
];

const completeInBash = async (words: readonly string[]) => {
  const path = await script("bash");
  const line = ["agent-auth", ...words];
  const body = [
    `source '${path}'`,
    `COMP_WORDS=(${line.map((word) => `'${word}'`).join(" ")})`,
    `COMP_CWORD=${line.length - 1}`,
    "_agent_auth",
    'printf "%s\\n" "${COMPREPLY[@]}"',
  ].join("\n");
  const { stdout, stderr } = spawnSync("bash", ["-c", body], { cwd: home.path, env: home.env() });
  expect(stderr.toString()).toBe("");
  return stdout.toString().trim().split("\n").toSorted();
};

describe("completion bash", () => {
  it.each(cases)("completes %j", async (words, expected) => {
    expect(await completeInBash(words)).toEqual(expected.toSorted());
  });

  it("does not run a command that the name of a folder contains", async () => {
    const folder = join(home.path, "accounts/w$(touch ran)");
    mkdirSync(folder);
    expect(await completeInBash(["accounts", "use", "w"])).toEqual(["work"]);
    expect(existsSync(join(home.path, "ran"))).toBe(false);
    rmdirSync(folder);
  });
});

describe.skipIf(!has("fish"))("completion fish", () => {
  it.each(cases)("completes %j", async (words, expected) => {
    const path = await script("fish");
    const body = `source '${path}'; complete -C "agent-auth ${words.join(" ")}"`;
    const { stdout, stderr } = spawnSync("fish", ["--no-config", "-c", body], { env: home.env() });
    expect(stderr.toString()).toBe("");
    const found = stdout.toString().trim().split("\n");
    expect(new Set(found.map((line) => line.split("\t", 1)[0]))).toEqual(new Set(expected));
  });
});

describe.skipIf(!has("zsh"))("completion zsh", () => {
  it.each(cases)("offers what starts with the last of %j", async (words, expected) => {
    const path = await script("zsh");
    const line = ["agent-auth", ...words];
    const body = [
      "compdef() { : }; _files() { : }; _normal() { : }",
      "compadd() { [[ $1 == -a ]] && print -l -- ${(P)2} || print -l -- $@ }",
      "_describe() { print -l -- ${${(P)@[-1]}%%:*} }",
      `source '${path}'`,
      `words=(${line.map((word) => `'${word}'`).join(" ")}); CURRENT=${line.length}; PREFIX='${words.at(-1)}'`,
      "_agent_auth",
    ].join("\n");
    const { stdout, stderr } = spawnSync("zsh", ["-f", "-c", body], { env: home.env() });
    expect(stderr.toString()).toBe("");
    const prefix = words.at(-1) ?? "";
    const offered = stdout
      .toString()
      .split("\n")
      .filter((word) => word.startsWith(prefix));
    expect(new Set(offered)).toEqual(new Set(expected));
  });
});

describe.skipIf(!has("zsh"))("completion zsh, behind a flag that takes a value", () => {
  it.each([
    [["verify", "--jwks", ""], "files"],
    [["api", "--input", "a"], "files"],
    [["proxy", "--port", ""], ""],
  ])("offers files if one is meant, and nothing else: %j", async (words, offered) => {
    const path = await script("zsh");
    const body = [
      "compdef() { : }; _normal() { : }; compadd() { print $@ }; _describe() { print $@ }",
      "_files() { print files }",
      `source '${path}'`,
      `words=(agent-auth ${words.map((word) => `'${word}'`).join(" ")}); CURRENT=${words.length + 1}`,
      "_agent_auth",
    ].join("\n");
    const { stdout, stderr } = spawnSync("zsh", ["-f", "-c", body], { env: home.env() });
    expect([stderr.toString(), stdout.toString().trim()]).toEqual(["", offered]);
  });
});

describe("completion", () => {
  it("supports three shells", async () => {
    const { exitCode, stderr } = await home.run(["completion", "tcsh"]);
    expect(stderr).toContain("shell is one of bash, zsh, fish");
    expect(exitCode).toBe(2);
  });
});
