import { describe, expect, it, vi } from "@effect/vitest";
import * as Effect from "effect/Effect";
import {
  chmodSync,
  chownSync,
  lchownSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { parseEnvironment } from "../src/config/environment.ts";
import { KeptAccounts, layer as accountsLayer } from "../src/storage/accounts/index.ts";
import { layer } from "../src/storage/configured.ts";
import { CredentialStore } from "../src/storage/index.ts";
import { writeStateFile } from "../src/storage/fs/state-file.ts";
import { assertOwnerTrusted } from "../src/storage/privilege.ts";
import { openFileStore, text } from "./support/file-store.ts";
import { temporaryFolder } from "./support/home.ts";

const USER = 4242;
const isRoot = process.getuid?.() === 0;
const why = isRoot ? "" : " (skipped: needs root, to work as two users)";

/** Gives everything below a folder to the user, links included. */
const give = (path: string, uid = USER): void => {
  lchownSync(path, uid, uid);
  if (!statSync(path).isDirectory()) return;
  for (const name of readdirSync(path)) lchownSync(join(path, name), uid, uid);
};

/** A home of another user, and a CODEX_HOME of root with a sign-in and a kept account. */
const setUp = () => {
  const [home, roots] = [temporaryFolder(), temporaryFolder()];
  writeFileSync(join(home, "auth.json"), text("sk-user"), { mode: 0o600 });
  mkdirSync(join(roots, "accounts", "work"), { recursive: true });
  for (const path of [join(roots, "auth.json"), join(roots, "accounts", "work", "auth.json")])
    writeFileSync(path, text("sk-root"), { mode: 0o600 });
  const accounts = accountsLayer({
    environment: parseEnvironment({ CODEX_HOME: home }),
    config: { credentialsStore: "file" },
    environmentCredentials: false,
  });
  const use = <A, E>(work: (accounts: KeptAccounts["Service"]) => Effect.Effect<A, E>) =>
    Effect.provide(KeptAccounts.use(work), accounts);
  const users = () => readFileSync(join(home, "auth.json"), "utf8");
  /** What is in root's home, with the owner of each file. */
  const untouched = () =>
    readdirSync(roots, { recursive: true, encoding: "utf8" })
      .toSorted()
      .map((name) => `${name} ${statSync(join(roots, name)).uid}`);
  const intact = ["accounts 0", "accounts/work 0", "accounts/work/auth.json 0", "auth.json 0"];
  return { home, roots, use, users, untouched, intact };
};

describe.skipIf(!isRoot)(`root in another user's home${why}`, () => {
  it.live.each([
    ["the folder of all accounts", "accounts", (roots: string) => join(roots, "accounts")],
    ["the folder of an account", "accounts/work", (roots: string) => join(roots, "accounts/work")],
    [
      "the file of an account",
      "accounts/work/auth.json",
      (roots: string) => join(roots, "accounts/work/auth.json"),
    ],
  ] as const)("does not follow a link of that user for %s", ([, name, target]) =>
    Effect.gen(function* () {
      const { home, intact, roots, untouched, use, users } = setUp();
      mkdirSync(dirname(join(home, name)), { recursive: true });
      symlinkSync(target(roots), join(home, name));
      give(home);
      if (name !== "accounts") give(join(home, "accounts"));
      if (name === "accounts/work/auth.json") give(join(home, "accounts", "work"));
      for (const operation of [
        use((accounts) => Effect.asVoid(accounts.use("work"))),
        use((accounts) => Effect.asVoid(accounts.remove("work"))),
        use((accounts) => accounts.addCurrent("work")),
        use((accounts) => accounts.forget("work")),
      ])
        yield* Effect.exit(operation);
      expect(users()).toBe(text("sk-user"));
      expect(untouched()).toEqual(intact);
      expect(readFileSync(join(roots, "accounts/work/auth.json"), "utf8")).toBe(text("sk-root"));
    }),
  );

  it.live("copies no file of root's that the user has moved into an account", () =>
    Effect.gen(function* () {
      const { home, use, users } = setUp();
      mkdirSync(join(home, "accounts", "work"), { recursive: true });
      give(home);
      give(join(home, "accounts"));
      writeFileSync(join(home, "accounts/work/auth.json"), text("sk-root"), { mode: 0o600 });
      const error = yield* Effect.flip(use((accounts) => accounts.use("work")));
      expect(error).toMatchObject({ code: "LOGIN_OWNER_NOT_TRUSTED", ownerUid: USER });
      expect(users()).toBe(text("sk-user"));
    }),
  );

  it.live("does not follow a link of that user in the place of CODEX_HOME", () =>
    Effect.gen(function* () {
      const { intact, roots, untouched } = setUp();
      const folder = temporaryFolder();
      const path = join(folder, ".codex");
      symlinkSync(roots, path);
      lchownSync(path, USER, USER);
      chownSync(folder, USER, USER);
      const store = openFileStore({ path, explicit: true });
      for (const operation of [store.save("sk-1"), store.load, store.checkWritable])
        expect(yield* Effect.flip(Effect.asVoid<unknown, unknown, never>(operation))).toMatchObject(
          { reason: expect.stringContaining(`user ${USER}, who controls the path`) },
        );
      expect(untouched()).toEqual(intact);
    }),
  );

  it.live("reads no hard link that the user has made of root's file", () =>
    Effect.gen(function* () {
      const { home, roots } = setUp();
      const codexHome = { path: temporaryFolder(), explicit: true };
      linkSync(join(roots, "auth.json"), join(codexHome.path, "auth.json"));
      give(codexHome.path, 0);
      chownSync(codexHome.path, USER, USER);
      const load = CredentialStore.use((store) => store.load);
      const error = yield* Effect.flip(Effect.provide(load, layer({ mode: "file", codexHome })));
      expect(error).toMatchObject({ code: "LOGIN_STORE_UNREADABLE" });
      expect(statSync(join(home, "auth.json")).isFile()).toBe(true);
    }),
  );

  it.live("reads a file that everyone may read, by a path that everyone may enter", () =>
    Effect.gen(function* () {
      const { roots } = setUp();
      const codexHome = { path: temporaryFolder(), explicit: true };
      symlinkSync(join(roots, "auth.json"), join(codexHome.path, "auth.json"));
      give(codexHome.path);
      const load = CredentialStore.use((store) => store.load).pipe(
        Effect.provide(layer({ mode: "file", codexHome })),
      );
      chmodSync(join(roots, "auth.json"), 0o644);
      expect((yield* Effect.flip(load)).code).toBe("LOGIN_STORE_UNREADABLE");
      chmodSync(roots, 0o755);
      expect((yield* load)._tag).toBe("Some");
    }),
  );

  it.live(
    "gives everything that it creates to that user, in a CODEX_HOME that it creates as well",
    () =>
      Effect.gen(function* () {
        const folder = temporaryFolder();
        chownSync(folder, USER, USER);
        const codexHome = { path: join(folder, ".codex"), explicit: false };
        yield* openFileStore(codexHome).save("sk-1");
        const accounts = accountsLayer({
          environment: { ...parseEnvironment({ CODEX_HOME: folder }), codexHome },
          config: { credentialsStore: "file" },
          environmentCredentials: false,
        });
        yield* Effect.provide(
          KeptAccounts.use((kept) => kept.addCurrent("work")),
          accounts,
        );
        const owners = readdirSync(folder, { recursive: true, encoding: "utf8" }).map(
          (name) => `${name} ${statSync(join(folder, name)).uid}`,
        );
        expect(owners.toSorted()).toContain(`.codex/accounts/work/auth.json ${USER}`);
        expect(owners.filter((line) => !line.endsWith(` ${USER}`))).toEqual([]);
      }),
  );
});

/** A configuration file of root. */
const rootsFile = () => {
  const folder = temporaryFolder();
  const path = join(folder, "config.toml");
  writeFileSync(path, "");
  return { folder, path };
};

describe.skipIf(!isRoot)(`assertOwnerTrusted, for root${why}`, () => {
  it.live("accepts root's own file in root's own folder", () =>
    assertOwnerTrusted(rootsFile().path),
  );

  it.live.each([
    ["a file of another user", ({ path }: { path: string }) => chownSync(path, USER, USER)],
    [
      "root's file in another user's folder",
      ({ folder }: { folder: string }) => chownSync(folder, USER, USER),
    ],
  ] as const)("refuses %s, and names that user", ([, change]) =>
    Effect.gen(function* () {
      const made = rootsFile();
      change(made);
      const error = yield* Effect.flip(assertOwnerTrusted(made.path));
      expect(error).toMatchObject({
        code: "LOGIN_OWNER_NOT_TRUSTED",
        message: `another user (uid ${USER}) controls ${made.path}`,
        hint: `Run this program as that user: sudo -u '#${USER}' …`,
      });
    }),
  );

  it.live.each([
    ["a file that all may write", ({ path }: { path: string }) => chmodSync(path, 0o666)],
    [
      "a file that a group may write",
      ({ path }: { path: string }) => {
        chownSync(path, 0, USER);
        chmodSync(path, 0o664);
      },
    ],
    [
      "a file in a folder that all may write",
      ({ folder }: { folder: string }) => chmodSync(folder, 0o777),
    ],
  ] as const)("refuses %s", ([, change]) =>
    Effect.gen(function* () {
      const made = rootsFile();
      change(made);
      const error = yield* Effect.flip(assertOwnerTrusted(made.path));
      expect(error).toMatchObject({
        code: "LOGIN_OWNER_NOT_TRUSTED",
        message: `other users can change or replace ${made.path}`,
        hint: `Remove that permission. Run: chmod go-w ${made.path}`,
      });
    }),
  );

  it.live("accepts a file in a sticky folder, where others cannot replace it", () =>
    Effect.suspend(() => {
      const made = rootsFile();
      chmodSync(made.folder, 0o1777);
      return assertOwnerTrusted(made.path);
    }),
  );

  it.live("refuses root's file that a link of another user leads to", () =>
    Effect.gen(function* () {
      const { path } = rootsFile();
      const link = join(temporaryFolder(), "link");
      symlinkSync(path, link);
      lchownSync(link, USER, USER);
      expect((yield* Effect.flip(assertOwnerTrusted(link))).ownerUid).toBe(USER);
    }),
  );
});

/** Runs an effect as if this process belonged to another user. */
const as = <A, E>(uid: number, effect: Effect.Effect<A, E>) =>
  Effect.suspend(() => {
    const geteuid = vi.spyOn(process, "geteuid").mockReturnValue(uid);
    return Effect.ensuring(
      effect,
      Effect.sync(() => geteuid.mockRestore()),
    );
  });

describe.skipIf(!isRoot)(`assertOwnerTrusted, for another user than root${why}`, () => {
  it.live.each([
    ["a file of a third user", 4243, 4242],
    ["their own file in the folder of a third user", 4242, 4243],
    ["root's file in the folder of a third user", 0, 4243],
  ] as const)("refuses %s", ([, fileUid, folderUid]) =>
    Effect.gen(function* () {
      const { folder, path } = rootsFile();
      chownSync(path, fileUid, fileUid);
      chownSync(folder, folderUid, folderUid);
      expect(yield* Effect.flip(as(USER, assertOwnerTrusted(path)))).toMatchObject({
        code: "LOGIN_OWNER_NOT_TRUSTED",
        ownerUid: 4243,
      });
    }),
  );

  it.live.each([
    ["their own file in their own folder", USER, USER],
    ["root's file in root's folder", 0, 0],
    ["their own file in root's folder", USER, 0],
    ["files whose owner a container does not know", 65_534, 65_534],
  ] as const)("accepts %s", ([, fileUid, folderUid]) =>
    Effect.suspend(() => {
      const { folder, path } = rootsFile();
      chownSync(path, fileUid, fileUid);
      chownSync(folder, folderUid, folderUid);
      return as(USER, assertOwnerTrusted(path));
    }),
  );
});

describe.skipIf(!isRoot)(`state files, for root${why}`, () => {
  it.live("are not written to a folder of root's that another user's link leads to", () =>
    Effect.gen(function* () {
      const [users, roots] = [temporaryFolder(), temporaryFolder()];
      chownSync(users, USER, USER);
      const link = join(users, ".codex");
      symlinkSync(roots, link);
      lchownSync(link, USER, USER);
      expect(yield* Effect.promise(() => writeStateFile(link, "refresh.json", "{}"))).toBe(false);
      expect(readdirSync(roots)).toEqual([]);
      expect(yield* Effect.promise(() => writeStateFile(roots, "refresh.json", "{}"))).toBe(true);
    }),
  );
});
