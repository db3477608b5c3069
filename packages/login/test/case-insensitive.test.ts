import { missingDisk, mountCaseInsensitiveDisk } from "@agent-auth/tools/case-insensitive-disk";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import { mkdirSync, readFileSync, renameSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseEnvironment } from "../src/config/environment.ts";
import { KeptAccounts, layer } from "../src/storage/accounts/index.ts";
import { keyringAccount } from "../src/storage/keyring-entry.ts";
import { namesIn, openFileStore, text } from "./support/file-store.ts";
import { temporaryFolder } from "./support/home.ts";
import { openLock } from "./support/home-lock.ts";

const homeOf = (path: string) => ({ path, explicit: true });
const { runPromise } = Effect;

/** What another task finds that tries to lock `other` while `held` is locked. */
const whileLocked = (held: string, other: string) => {
  const tried = openLock({ codexHome: homeOf(other) }).tryLock;
  const meanwhile = Effect.promise(() => runPromise(tried));
  return runPromise(openLock({ codexHome: homeOf(held) }).withLock(meanwhile));
};

const accountsOf = (path: string) => {
  const options = {
    environment: parseEnvironment({ CODEX_HOME: path }),
    config: { credentialsStore: "file" },
    environmentCredentials: false,
  } as const;
  return <A, E>(use: (accounts: KeptAccounts["Service"]) => Effect.Effect<A, E>) =>
    runPromise(Effect.provide(KeptAccounts.use(use), layer(options)));
};

if (missingDisk !== undefined) console.warn(`skipped: ${missingDisk}`);

describe.skipIf(missingDisk !== undefined)("on a disk whose names are not case-sensitive", () => {
  let disk: ReturnType<typeof mountCaseInsensitiveDisk>;
  let homes = 0;
  beforeAll(() => {
    disk = mountCaseInsensitiveDisk();
  });
  afterAll(() => disk[Symbol.dispose]());
  /** One folder under two spellings. */
  const makeHome = () => {
    const name = `Home${homes++}`;
    mkdirSync(join(disk.path, name), { mode: 0o700 });
    return { path: join(disk.path, name), other: join(disk.path, name.toUpperCase()) };
  };

  it("what was saved under one spelling is loaded and removed under another", async () => {
    const { other, path } = makeHome();
    await runPromise(openFileStore(homeOf(path)).save("sk-1"));
    const store = openFileStore(homeOf(other));
    expect(Option.isSome(await runPromise(store.load))).toBe(true);
    expect(await runPromise(store.remove)).toBe(true);
    expect(namesIn(path)).toEqual([]);
  });

  it("a file of another spelling is replaced, not joined by a second one", async () => {
    const { path } = makeHome();
    writeFileSync(join(path, "AUTH.JSON"), text("sk-old"), { mode: 0o600 });
    const { file, save } = openFileStore(homeOf(path));
    await runPromise(save("sk-new"));
    expect(namesIn(path)).toHaveLength(1);
    expect(readFileSync(join(path, "Auth.Json"), "utf8")).toBe(text("sk-new"));
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  it("the lock of one spelling excludes that of another", async () => {
    const { other, path } = makeHome();
    expect(await whileLocked(path, other)).toEqual({
      _tag: "Held",
      path: join(other, "agent-auth.lock"),
    });
  });

  it("a name that differs by case only is that of the kept account", async () => {
    const { path } = makeHome();
    const run = accountsOf(path);
    await runPromise(openFileStore(homeOf(path)).save("sk-one"));
    await run((accounts) => accounts.addCurrent("Work"));
    await runPromise(openFileStore(homeOf(path)).save("sk-two"));
    const failed = await run((accounts) => Effect.flip(accounts.addCurrent("work")));
    expect(failed.code).toBe("LOGIN_ACCOUNT_EXISTS");
    await run((accounts) => accounts.addCurrent("Other"));
    expect(await run((accounts) => accounts.use("WORK"))).toBe(true);
    expect(await run((accounts) => accounts.use("work"))).toBe(false);
    const inUse = await run((accounts) => Effect.flip(accounts.remove("work")));
    expect(inUse.code).toBe("LOGIN_ACCOUNT_IN_USE");
    const list = await run(({ list }) => list); // this driver lists names in lower case
    expect(list.accounts.map(({ isCurrent, name }) => [name.toLowerCase(), isCurrent])).toEqual([
      ["other", false],
      ["work", true],
    ]);
    await run((accounts) => accounts.remove("OTHER"));
    expect(namesIn(join(path, "accounts"))).toHaveLength(1);
  });
});

/** One home under two paths. */
const linkedHome = () => {
  const root = temporaryFolder();
  mkdirSync(join(root, "private", "var", "codex"), { recursive: true });
  symlinkSync("private/var", join(root, "var"));
  return { path: join(root, "var", "codex"), real: join(root, "private", "var", "codex") };
};

describe("in a folder that a link leads to, as /var to /private/var on macOS", () => {
  it("both paths have one lock, one keyring entry and one file", async () => {
    const { path, real } = linkedHome();
    expect(await whileLocked(path, real)).toMatchObject({ _tag: "Held" });
    expect(keyringAccount(homeOf(path))).toBe(keyringAccount(homeOf(real)));
    await runPromise(openFileStore(homeOf(path)).save("sk-1"));
    expect(readFileSync(join(real, "auth.json"), "utf8")).toBe(text("sk-1"));
    expect(Option.isSome(await runPromise(openFileStore(homeOf(real)).load))).toBe(true);
  });

  it("a home that does not exist yet has the keyring entry that it has later", () => {
    const { path, real } = linkedHome();
    renameSync(real, `${real}.gone`);
    const before = keyringAccount({ path, explicit: false });
    mkdirSync(real);
    expect(keyringAccount({ path, explicit: false })).toBe(before);
  });
});
