import { describe, expect, it } from "@effect/vitest";
import * as Effect from "effect/Effect";
import * as Fiber from "effect/Fiber";
import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  lchownSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import type { CodexHome } from "../src/config/environment.ts";
import { loadFlock } from "../src/storage/lock/flock.ts";
import { namesIn, openFileStore, text } from "./support/file-store.ts";
import { temporaryFolder, temporaryHome } from "./support/home.ts";
import { waiting } from "./support/home-lock.ts";

/** A home of user 4242 in which root works, and a folder of root's elsewhere with a sign-in of root's. */
const foreignHome = () => {
  const home = temporaryHome();
  chownSync(home.path, 4242, 4243);
  const secrets = temporaryFolder();
  const secret = join(secrets, "real.json");
  writeFileSync(secret, text("sk-root"), { mode: 0o600 });
  const link = (target: string, uid: number): void => {
    const file = join(home.path, "auth.json");
    symlinkSync(target, file);
    lchownSync(file, uid, uid);
  };
  const untouched = () => {
    const { uid } = statSync(secret);
    return { uid, content: readFileSync(secret, "utf8"), names: readdirSync(secrets) };
  };
  return { ...openFileStore(home), home, link, secret, secrets, untouched };
};

const intact = { uid: 0, content: text("sk-root"), names: ["real.json"] };
const distrust = {
  code: "LOGIN_STORE_UNWRITABLE",
  reason: "this process is root, and user 4242, who controls the path, may not write what is there",
};

describe.skipIf(process.getuid?.() !== 0)("root, in another user's folder,", () => {
  it.live("does not follow a link of that user to a file of another owner", () =>
    Effect.gen(function* () {
      const { checkWritable, file, link, remove, save, secret, untouched } = foreignHome();
      link(secret, 4242);
      for (const operation of [checkWritable, save("sk-1"), remove])
        expect(yield* Effect.flip(Effect.asVoid(operation))).toMatchObject(distrust);
      expect(untouched()).toEqual(intact);
      expect(readlinkSync(file)).toBe(secret);
    }),
  );

  it.live("creates nothing at the target of such a link", () =>
    Effect.gen(function* () {
      const { link, save, secrets, untouched } = foreignHome();
      link(join(secrets, "new.json"), 4242);
      expect(yield* Effect.flip(save("sk-1"))).toMatchObject(distrust);
      expect(untouched()).toEqual(intact);
    }),
  );

  it.live("follows that user's link to their own file, and a link of root's own", () =>
    Effect.gen(function* () {
      for (const linkOwner of [4242, 0]) {
        const { file, link, remove, save } = foreignHome();
        const folder = temporaryFolder();
        const target = join(folder, "theirs.json");
        writeFileSync(target, text("sk-old"));
        for (const path of [folder, target]) chownSync(path, 4242, 4243);
        link(target, linkOwner);
        yield* save("sk-1");
        expect(readFileSync(target, "utf8")).toBe(text("sk-1"));
        expect(statSync(target).uid).toBe(4242);
        expect(yield* remove).toBe(true);
        expect([existsSync(target), existsSync(file)]).toEqual([false, false]);
      }
    }),
  );

  it.live("uses the folder that it checked, even if its path leads elsewhere by then", (context) =>
    Effect.gen(function* () {
      const tryFlock = yield* Effect.promise(loadFlock);
      if (tryFlock === undefined || process.platform !== "linux")
        return context.skip("needs flock and /proc");
      const { home, link, save, secrets, untouched } = foreignHome();
      const mine = join(home.path, "mine");
      mkdirSync(join(mine, "sub"), { recursive: true });
      writeFileSync(join(mine, "sub", "real.json"), text("sk-old"));
      for (const name of ["mine", "mine/sub", "mine/sub/real.json"])
        chownSync(join(home.path, name), 4242, 4243);
      link("mine/sub/real.json", 4242);
      const held = openSync(join(mine, "sub", "real.json.lock"), "w");
      tryFlock(held);
      // The lock is held, so the save has looked at the target when it waits.
      const fiber = yield* waiting(Effect.flip(save("sk-1")));
      renameSync(mine, `${mine}.old`);
      mkdirSync(mine);
      symlinkSync(secrets, join(mine, "sub"));
      closeSync(held);
      expect((yield* Fiber.join(fiber)).code).toBe("LOGIN_STORE_UNWRITABLE");
      expect(untouched()).toEqual(intact);
    }),
  );
});

/** Root may do everything, so a test that root runs takes an ordinary user's rights for a while. */
const asOrdinaryUser = <A, E>(home: CodexHome, effect: Effect.Effect<A, E>) => {
  if (process.getuid?.() !== 0) return effect;
  chownSync(home.path, 65_534, 65_534);
  for (const name of readdirSync(home.path)) chownSync(join(home.path, name), 65_534, 65_534);
  return Effect.acquireUseRelease(
    Effect.sync(() => process.seteuid?.(65_534)),
    () => effect,
    () => Effect.sync(() => process.seteuid?.(0)),
  );
};

describe("an ordinary user", () => {
  it.live("cannot save into a read-only folder; the old credential stays", () =>
    Effect.gen(function* () {
      const home = temporaryHome();
      const { checkWritable, file, save } = openFileStore(home);
      yield* save("sk-old");
      chmodSync(home.path, 0o500);
      const [check, saving] = yield* asOrdinaryUser(
        home,
        Effect.all([Effect.flip(checkWritable), Effect.flip(save("sk-new"))]),
      );
      for (const error of [check, saving])
        expect(error).toMatchObject({ code: "LOGIN_STORE_UNWRITABLE", systemCode: "EACCES" });
      expect(readFileSync(file, "utf8")).toBe(text("sk-old"));
      chmodSync(home.path, 0o700);
      expect(namesIn(home.path)).toEqual(["auth.json"]);
    }),
  );

  it.live("reports a folder in which the lock file cannot be created", () =>
    Effect.gen(function* () {
      const home = temporaryHome();
      chmodSync(home.path, 0o500);
      const error = yield* asOrdinaryUser(home, Effect.flip(openFileStore(home).save("sk-1")));
      expect(error).toMatchObject({ code: "LOGIN_HOME_LOCK_FAILED", systemCode: "EACCES" });
    }),
  );

  it.live("reports a file that cannot be read, instead of no credential", () =>
    Effect.gen(function* () {
      const home = temporaryHome();
      const { file, load, save } = openFileStore(home);
      yield* save("sk-old");
      chmodSync(file, 0o000);
      const error = yield* asOrdinaryUser(home, Effect.flip(load));
      expect(error).toMatchObject({ code: "LOGIN_STORE_UNREADABLE", systemCode: "EACCES" });
      expect(error.message).toBe(`cannot read credentials in ${file}: permission denied`);
      expect(readFileSync(file, "utf8")).toBe(text("sk-old"));
    }),
  );

  it.live("reports a folder that cannot be opened", () =>
    Effect.gen(function* () {
      const home = temporaryHome();
      yield* openFileStore(home).save("sk-old");
      chmodSync(home.path, 0o000);
      const error = yield* asOrdinaryUser(home, Effect.flip(openFileStore(home).load));
      expect(error.code).toBe("LOGIN_STORE_UNREADABLE");
    }),
  );
});
