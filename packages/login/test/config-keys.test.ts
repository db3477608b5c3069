import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readConfig } from "../src/config/read-config.ts";
import type { TomlTable } from "../src/config/toml.ts";

const protocol = readFileSync(join(import.meta.dirname, "../../../docs/protocol.md"), "utf8");

/** The words in backticks in the cells of a column, for all tables whose first heading starts with `key`. */
const documentedKeys = (column: number): ReadonlyArray<string> =>
  (protocol.match(/^\| key .*\n(?:\|.*\n)+/gm) ?? []).flatMap((table) =>
    table
      .trimEnd()
      .split("\n")
      .slice(2)
      .flatMap((row) => Array.from((row.split("|")[column + 1] ?? "").matchAll(/`([a-z_]+)`/g)))
      .map(([, word = ""]) => word),
  );

/** The keys that `readConfig` looks for in a configuration with every kind of table. */
const keysRead = (): ReadonlySet<string> => {
  const read = new Set<string>();
  const recording = (table: TomlTable): TomlTable =>
    new Proxy(table, {
      getOwnPropertyDescriptor: (target, key) => {
        read.add(String(key));
        return Reflect.getOwnPropertyDescriptor(target, key);
      },
    });
  const provider = recording({ auth: recording({ command: "x" }) });
  const oauth = { authorization_url: "https://a", token_url: "https://a", client_id: "c" };
  const gateway = recording({ base_url: "https://a", gateway_oauth: recording(oauth) });
  const workload = recording({ source: "file", token_file: "/token" });
  const agentAuth = recording({
    workload_identity: workload,
    store: "sqlite:/store.db",
    store_key_command: ["print-keys"],
  });
  const table = recording({
    model_providers: { acme: provider, gw: gateway },
    agent_auth: agentAuth,
  });
  readConfig(table, () => ({ folder: "/" }));
  return read;
};

describe("docs/protocol.md, §1, §12, §14 and §15", () => {
  it("lists every key that is read, and no others", () => {
    const read = keysRead();
    const inFirstColumn = documentedKeys(0);
    expect(inFirstColumn.filter((key) => !read.has(key))).toEqual([]);
    const mentioned = new Set([...inFirstColumn, ...documentedKeys(1)]);
    for (const id of ["acme", "gw"]) mentioned.add(id); // the providers of this test
    expect([...read].filter((key) => !mentioned.has(key))).toEqual([]);
  });
});
