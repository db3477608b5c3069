// Compares docs/protocol.md with the code: comments cite sections that exist, and lists are complete. Examples and fixed
// texts have their own tests beside this one; statements in prose are tested where the code is.
import { authModes } from "@agent-auth/login/storage/auth-json";
import { parseEnvironment } from "@agent-auth/login/config/environment";
import type { CredentialsStoreMode } from "@agent-auth/login/storage";
import { codexLockName, sqliteLockName } from "@agent-auth/login/storage/lock";
import { describe, expect, it } from "vitest";
import {
  packageFiles,
  protocol,
  quoted,
  quotedIn,
  section,
  tableUnder,
  textOf,
} from "./support/protocol-document.ts";

const sources = packageFiles("*/src/**/*.ts");
const sourceText = textOf(sources);
const numbers = Array.from(protocol.matchAll(/^## (\d+)\. /gmu), ([, number]) => Number(number));

describe("docs/protocol.md", () => {
  it("has each section once, in order, and a list that leads to all of them", () => {
    expect(numbers).toEqual(numbers.map((_, index) => index + 1));
    const anchors = Array.from(protocol.matchAll(/^## (.+)$/gmu), ([, heading = ""]) =>
      heading
        .toLowerCase()
        .replaceAll(/[^\w -]/gu, "")
        .replaceAll(" ", "-"),
    );
    const links = Array.from(protocol.matchAll(/\[§(\d+)\]\(#([\w-]+)\)/gu));
    expect(links.map(([, number]) => Number(number))).toEqual(numbers);
    expect(links.map(([, , anchor]) => anchor)).toEqual(anchors);
  });

  it("has every section that a comment cites", () => {
    // One citation may name several, and may be broken over two lines of a comment.
    const citation = /docs\/protocol\.md[\s/*]+(§\d+(?:(?:,| and)[\s/*]+§\d+)*)/gu;
    const cited = [...sources, ...packageFiles("*/test/**/*.ts")].flatMap(({ path, text }) =>
      Array.from(text.matchAll(citation), ([, list = ""]) => ({ path, list })),
    );
    expect(cited.length).toBeGreaterThan(50);
    const missing = cited.filter(({ list }) =>
      Array.from(list.matchAll(/§(\d+)/gu)).some(([, number]) => !numbers.includes(Number(number))),
    );
    expect(missing).toEqual([]);
    expect(sourceText).not.toMatch(/PROTOCOL §|docs\/protocol\.md(?![\s/*]+§)/u);
  });

  it("refers to sections that it has, others than those of an RFC", () => {
    const own = Array.from(protocol.matchAll(/(?<!RFC \d+ )§(\d+)(?!\.\d)/gu), ([, n]) =>
      Number(n),
    );
    expect(own.filter((number) => !numbers.includes(number))).toEqual([]);
  });

  it("names error codes that exist", () => {
    const codes = quoted(protocol).filter((word) =>
      /^(?:AGENT_IDENTITY|CLI|LOGIN|PROVIDER)_[A-Z_]+$/u.test(word),
    );
    expect(codes.length).toBeGreaterThan(10);
    expect(codes.filter((code) => !sourceText.includes(`"${code}"`))).toEqual([]);
  });
});

describe("§1 of docs/protocol.md", () => {
  it("has the variables that are read, and no others", () => {
    const read = new Set<string>();
    const variables = new Proxy<Record<string, string>>(
      {},
      { get: (_, name) => void read.add(String(name)) },
    );
    parseEnvironment(variables, { homeDir: "/home/ada" });
    expect(quotedIn(0, tableUnder("variable", section(1))).toSorted()).toEqual(
      [...read].toSorted(),
    );
  });
});

describe("§2 and §3 of docs/protocol.md", () => {
  it("lists the modes", () => {
    const list = /^- `auth_mode` is (.*?)\.\n/msu.exec(section(2))?.[1] ?? "";
    expect(quoted(list)).toEqual([...authModes]);
  });

  it("names the lock files, the modes of the store and the keyring's service", () => {
    expect(quoted(section(2))).toEqual(expect.arrayContaining([codexLockName, sqliteLockName]));
    // The keyring tests of login find entries of the real Codex under this name.
    expect(section(3)).toContain("service `Codex Auth`");
    const modes: readonly CredentialsStoreMode[] = ["file", "keyring", "auto", "ephemeral"];
    expect(tableUnder("`cli_auth_credentials_store`", section(3)).map(([mode]) => mode)).toEqual(
      modes.map((mode) => `\`${mode}\``),
    );
  });
});
