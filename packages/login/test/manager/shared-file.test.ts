import { mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import * as Option from "effect/Option";
import { describe, expect, it } from "vitest";
import { chatgptDocument, openAuthority, openHome, withManager, type Home } from "./fixture.ts";

/** Two CODEX_HOMEs whose auth.json links to one file, which holds an expired sign-in. */
const open = async () => {
  const authority = await openAuthority({ settings: { punishReuse: true } });
  const homes = [await openHome(), await openHome()];
  const folder = join((await openHome()).path, "shared");
  await mkdir(folder);
  const file = join(folder, "auth.json");
  const document = await chatgptDocument(authority, { expiresInSeconds: -60 });
  await writeFile(file, JSON.stringify(document), { mode: 0o600 });
  for (const { authJson } of homes) await symlink(file, authJson);
  return { authority, homes, file };
};

describe("two CODEX_HOMEs that share one auth.json through links", () => {
  it("spend its refresh token once", async () => {
    const { authority, file, homes } = await open();
    authority.behave("refresh", { delayMs: 200 });
    const current = (home: Home) => withManager({ home, authority }, (manager) => manager.current);
    const found = await Promise.all(homes.map(current));
    expect(found.map((one) => one._tag)).toEqual(["Some", "Some"]);
    expect(authority.count("refresh")).toBe(1);
    const texts = await Promise.all(homes.map(({ authJson }) => readFile(authJson, "utf8")));
    expect(new Set([...texts, await readFile(file, "utf8")]).size).toBe(1);
  });

  it("find nothing to refresh while one of them revokes what it has logged out of", async () => {
    const { authority, homes } = await open();
    authority.behave("revoke", { delayMs: 500 });
    const [first, second] = homes;
    if (first === undefined || second === undefined) throw new Error("two homes");
    const signOut = withManager(
      { home: first, authority, options: { loadAtStart: false } },
      (it) => it.logout,
    );
    while (authority.count("revoke") === 0) await new Promise((resolve) => setImmediate(resolve));
    const found = await withManager({ home: second, authority }, (manager) => manager.current);
    await signOut;
    expect(Option.isNone(found)).toBe(true);
    expect(authority.count("refresh")).toBe(0);
  });
});
