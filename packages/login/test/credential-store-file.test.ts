import { describe, expect, it } from "@effect/vitest";
import * as Effect from "effect/Effect";
import * as Fiber from "effect/Fiber";
import * as Option from "effect/Option";
import * as Redacted from "effect/Redacted";
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  lchownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
import type { AuthDocument } from "../src/auth-json.ts";
import { layer } from "../src/credential-store-configured.ts";
import { CredentialStore } from "../src/credential-store.ts";
import type { CodexHome } from "../src/environment.ts";
import { loadFlock } from "../src/home-lock/flock.ts";
import { temporaryFolder, temporaryHome } from "./support/home.ts";

const apiKey = (key: string): AuthDocument => ({
  authMode: "apikey",
  openaiApiKey: Redacted.make(key),
});
const text = (key: string): string =>
  `{\n  "auth_mode": "apikey",\n  "OPENAI_API_KEY": "${key}"\n}`;

const open = (codexHome: CodexHome) => {
  const stores = layer({ mode: "file", codexHome });
  const store = Effect.runSync(Effect.cached(Effect.provide(CredentialStore, stores)));
  return {
    file: join(codexHome.path, "auth.json"),
    load: Effect.flatMap(store, (it) => it.load),
    save: (key: string) => Effect.flatMap(store, (it) => it.save(apiKey(key))),
    remove: Effect.flatMap(store, (it) => it.remove),
    checkWritable: Effect.flatMap(store, (it) => it.checkWritable),
  };
};

/** Names in a folder that belong to nobody's lock. */
const namesIn = (path: string): ReadonlyArray<string> =>
  readdirSync(path)
    .filter((name) => !name.endsWith(".lock"))
    .toSorted();

describe("CredentialStore.save, file", () => {
  it.live("writes pretty JSON without a newline at the end, readable to its owner only", () =>
    Effect.gen(function* () {
      const home = temporaryHome();
      const { file, save } = open(home);
      writeFileSync(file, "{}", { mode: 0o644 });
      yield* save("sk-1");
      expect(readFileSync(file, "utf8")).toBe(text("sk-1"));
      expect(statSync(file).mode & 0o777).toBe(0o600);
      if ((yield* Effect.promise(loadFlock)) !== undefined)
        expect(statSync(`${file}.lock`).mode & 0o777).toBe(0o600);
    }),
  );

  it.live("makes the default folder, readable to its owner only", () =>
    Effect.gen(function* () {
      const path = join(temporaryFolder(), "a", ".codex");
      const { load, remove, save } = open({ path, explicit: false });
      expect(Option.isNone(yield* load)).toBe(true);
      expect(yield* remove).toBe(false);
      expect(existsSync(path)).toBe(false);
      yield* save("sk-1");
      expect(statSync(path).mode & 0o777).toBe(0o700);
    }),
  );

  it.live("writes through a chain of links, absolute and relative, and leaves them", () =>
    Effect.gen(function* () {
      const home = temporaryHome();
      const elsewhere = temporaryFolder();
      const { file, load, save } = open(home);
      symlinkSync("second", file);
      symlinkSync(join(elsewhere, "real.json"), join(home.path, "second"));
      writeFileSync(join(elsewhere, "real.json"), text("sk-old"));
      yield* save("sk-1");
      expect(readFileSync(join(elsewhere, "real.json"), "utf8")).toBe(text("sk-1"));
      expect(readlinkSync(file)).toBe("second");
      expect(lstatSync(join(home.path, "second")).isSymbolicLink()).toBe(true);
      expect(namesIn(elsewhere)).toEqual(["real.json"]);
      expect(Option.isSome(yield* load)).toBe(true);
    }),
  );

  it.live("makes the file that a link leads to", () =>
    Effect.gen(function* () {
      const home = temporaryHome();
      const target = join(temporaryFolder(), "real.json");
      const { file, load, save } = open(home);
      symlinkSync(target, file);
      expect(Option.isNone(yield* load)).toBe(true);
      yield* save("sk-1");
      expect(statSync(target).mode & 0o777).toBe(0o600);
    }),
  );

  it.live("gives what root makes in another user's folder to that user", (context) =>
    Effect.gen(function* () {
      if (process.getuid?.() !== 0) return context.skip("only root can write other users' files");
      const home = temporaryHome();
      chownSync(home.path, 4242, 4243);
      yield* open(home).save("sk-1");
      const names = readdirSync(home.path);
      expect(names).toContain("auth.json");
      const owners = names.map((name) => statSync(join(home.path, name)).uid);
      expect(owners).toEqual(names.map(() => 4242));
    }),
  );

  it.live("leaves a file to its owner when root writes it", (context) =>
    Effect.gen(function* () {
      if (process.getuid?.() !== 0) return context.skip("only root can write other users' files");
      const { file, save } = open(temporaryHome());
      writeFileSync(file, "{}");
      chownSync(file, 4242, 4243);
      yield* save("sk-1");
      expect([statSync(file).uid, statSync(file).gid]).toEqual([4242, 4243]);
    }),
  );

  it.live("sweeps temporary files of dead and forgotten writers, and no others", () =>
    Effect.gen(function* () {
      const home = temporaryHome();
      const { remove, save } = open(home);
      const dead = spawnSync("true").pid;
      const put = (name: string): string => {
        writeFileSync(join(home.path, name), "secret");
        return name;
      };
      const gone = [`.auth.json-${dead}-0123456789abcdef.tmp`, `.auth.json-1-00ff00ff00ff00ff.tmp`];
      for (const name of gone) put(name);
      utimesSync(join(home.path, gone[1] ?? ""), 1, 1);
      const kept = [
        put(`.auth.json-${process.pid}-0123456789abcdef.tmp`),
        put(`.auth.json-${dead}-0123.tmp`),
        put(`.other.json-${dead}-0123456789abcdef.tmp`),
        put("auth.json.tmp"),
      ].toSorted();
      yield* save("sk-1");
      expect(namesIn(home.path)).toEqual([...kept, "auth.json"].toSorted());

      put(gone[0] ?? "");
      yield* remove;
      expect(namesIn(home.path)).toEqual(kept);
      put(gone[0] ?? "");
      expect(yield* remove).toBe(false);
      expect(namesIn(home.path)).toEqual(kept);
    }),
  );
});

describe("CredentialStore.save, file, of much that is unknown", () => {
  it.live("stays readable: without white space where it would else be too large", () =>
    Effect.gen(function* () {
      const home = temporaryHome();
      const { file, load } = open(home);
      const members = Array.from({ length: 85_000 }, (_, index) => `"k${index}":1`);
      writeFileSync(file, `{${members.join(",")}}`);
      const { document } = Option.getOrThrow(yield* load);
      const store = yield* Effect.provide(
        CredentialStore,
        layer({ mode: "file", codexHome: home }),
      );
      yield* store.checkWritable;
      yield* store.save({ ...document, openaiApiKey: Redacted.make("sk-1") });
      const again = Option.getOrThrow(yield* load);
      expect(again.document.unknown?.length).toBe(85_000);
      expect(statSync(file).size).toBeLessThan(1024 * 1024);
    }),
  );
});

describe("CredentialStore.remove, file", () => {
  it.live("removes the secret where a link leads, and then the link", () =>
    Effect.gen(function* () {
      const home = temporaryHome();
      const target = join(temporaryFolder(), "real.json");
      const { file, remove } = open(home);
      writeFileSync(target, text("sk-1"));
      symlinkSync(target, file);
      expect(yield* remove).toBe(true);
      expect(existsSync(target)).toBe(false);
      expect(namesIn(home.path)).toEqual([]);
    }),
  );

  it.live("removes only the link where it leads to what is no auth.json", () =>
    Effect.gen(function* () {
      for (const content of ["root:x:0:0\n", '{"a":1}', "{}", ""]) {
        const home = temporaryHome();
        const folder = temporaryFolder();
        const target = join(folder, "somebody's own");
        const { file, remove } = open(home);
        writeFileSync(target, content);
        symlinkSync(target, file);
        expect(yield* remove).toBe(true);
        expect(readFileSync(target, "utf8")).toBe(content);
        expect(namesIn(folder)).toEqual(["somebody's own"]);
        expect(existsSync(`${target}.lock`)).toBe(false);
        expect(namesIn(home.path)).toEqual([]);
      }
    }),
  );

  it.live("leaves a link to nothing, whether its folder is there or not", () =>
    Effect.gen(function* () {
      for (const target of ["missing.json", "missing/auth.json"]) {
        const { file, remove } = open(temporaryHome());
        symlinkSync(target, file);
        expect(yield* remove).toBe(false);
        expect(readlinkSync(file)).toBe(target);
      }
    }),
  );

  it.live("removes a file that cannot be understood, and one that is read-only", () =>
    Effect.gen(function* () {
      const { file, remove } = open(temporaryHome());
      writeFileSync(file, "{{{");
      expect(yield* remove).toBe(true);
      writeFileSync(file, text("sk-1"), { mode: 0o400 });
      expect(yield* remove).toBe(true);
      expect(existsSync(file)).toBe(false);
    }),
  );
});

const padding = (size: number): string => `{"x":"${"x".repeat(size - 8)}"}`;

const refusing = (prepare: (file: string) => void) =>
  Effect.gen(function* () {
    const home = temporaryHome();
    const store = open(home);
    prepare(store.file);
    const before = lstatSync(store.file);
    const errors = yield* Effect.forEach(
      [store.checkWritable, store.save("sk-new"), store.remove, store.load],
      (deed) => Effect.result(deed),
    );
    const codes = errors.map((it) => (it._tag === "Failure" ? it.failure.code : "done"));
    const reasons = errors.map((it) =>
      it._tag === "Failure" && "reason" in it.failure ? it.failure.reason : "",
    );
    const after = lstatSync(store.file, { throwIfNoEntry: false });
    return { home, file: store.file, codes, reasons, isSame: after?.ino === before.ino };
  });

describe("CredentialStore, file, refuses", () => {
  const writable = "LOGIN_STORE_UNWRITABLE";
  const readable = "LOGIN_STORE_UNREADABLE";

  it.live(
    "to write or remove a hard-linked file, which would keep the secret under another name",
    () =>
      Effect.gen(function* () {
        const { file, codes, reasons, isSame } = yield* refusing((file) => {
          writeFileSync(file, text("sk-old"));
          linkSync(file, `${file}.other`);
        });
        expect(codes).toEqual([writable, writable, writable, "done"]);
        expect(reasons[0]).toContain("hard link");
        expect(isSame).toBe(true);
        expect(readFileSync(file, "utf8")).toBe(text("sk-old"));
      }),
  );

  it.live("to write a read-only file, root or not", () =>
    Effect.gen(function* () {
      const { codes, reasons } = yield* refusing((file) => {
        writeFileSync(file, text("sk-old"), { mode: 0o400 });
      });
      expect(codes).toEqual([writable, writable, "done", "done"]);
      expect(reasons.slice(0, 2)).toEqual(["it is read-only", "it is read-only"]);
    }),
  );

  it.live("a folder", () =>
    Effect.gen(function* () {
      const { codes, reasons, isSame } = yield* refusing((file) => mkdirSync(file));
      expect(codes).toEqual([writable, writable, writable, readable]);
      expect(new Set(reasons)).toEqual(new Set(["it is a folder"]));
      expect(isSame).toBe(true);
    }),
  );

  it.live("a FIFO, without waiting for a writer", () =>
    Effect.gen(function* () {
      const { codes, reasons, isSame } = yield* refusing((file) => spawnSync("mkfifo", [file]));
      expect(codes).toEqual([writable, writable, writable, readable]);
      expect(new Set(reasons)).toEqual(new Set(["it is not a regular file"]));
      expect(isSame).toBe(true);
    }),
  );

  it.live("a socket", () =>
    Effect.gen(function* () {
      const server = createServer();
      const { codes, isSame } = yield* Effect.ensuring(
        Effect.gen(function* () {
          const home = temporaryHome();
          const file = join(home.path, "auth.json");
          yield* Effect.callback<void>(
            (resume) => void server.listen(file, () => resume(Effect.void)),
          );
          return yield* refusing((other) => symlinkSync(file, other));
        }),
        Effect.sync(() => server.close()),
      );
      expect(codes).toEqual([writable, writable, writable, readable]);
      expect(isSame).toBe(true);
    }),
  );

  it.live("a loop of links", () =>
    Effect.gen(function* () {
      const { codes, reasons, isSame } = yield* refusing((file) => {
        symlinkSync(`${file}.2`, file);
        symlinkSync(file, `${file}.2`);
      });
      expect(codes).toEqual([writable, writable, writable, readable]);
      expect(new Set(reasons)).toEqual(new Set(["it is a loop of symbolic links"]));
      expect(isSame).toBe(true);
    }),
  );

  it.live("to read more than 1 MiB", () =>
    Effect.gen(function* () {
      const { file, load } = open(temporaryHome());
      writeFileSync(file, padding(1024 * 1024));
      expect(Option.isSome(yield* load)).toBe(true);
      writeFileSync(file, padding(1024 * 1024 + 1));
      expect((yield* Effect.flip(load)).code).toBe(readable);
    }),
  );

  it.live("to write more than it would read again, also beforehand", () =>
    Effect.gen(function* () {
      const { checkWritable, file, load, save } = open(temporaryHome());
      const [barely, tooLarge] = [1024 * 1024 - 1_000, 1024 * 1024];
      for (const size of [barely, tooLarge]) {
        const before = padding(size);
        writeFileSync(file, before);
        const { document } = Option.getOrThrow(yield* load);
        const store = yield* Effect.provide(
          CredentialStore,
          layer({ mode: "file", codexHome: { path: dirname(file), explicit: true } }),
        );
        const refused = [
          yield* Effect.flip(checkWritable),
          yield* Effect.flip(
            store.save({ ...document, openaiApiKey: Redacted.make("x".repeat(2_000)) }),
          ),
        ];
        for (const error of refused)
          expect(error).toMatchObject({
            code: writable,
            reason: "the content would be larger than 1 MiB, more than is read",
          });
        expect(readFileSync(file, "utf8")).toBe(before);
      }
      writeFileSync(file, text("sk-old"));
      yield* save("sk-new");
      yield* checkWritable;
    }),
  );

  it.live("a CODEX_HOME that is missing, or a file", () =>
    Effect.gen(function* () {
      const folder = temporaryFolder();
      writeFileSync(join(folder, "file"), "");
      for (const name of ["missing", "file"]) {
        const store = open({ path: join(folder, name), explicit: true });
        for (const deed of [store.load, store.save("sk-1"), store.remove, store.checkWritable]) {
          const error = yield* Effect.flip(Effect.asVoid(deed));
          expect(error.code).toBe("LOGIN_CODEX_HOME_UNUSABLE");
          expect(error.message).toContain(join(folder, name));
        }
      }
      expect(namesIn(folder)).toEqual(["file"]);
    }),
  );

  it.live("a document that it cannot read, and leaves it as it is", () =>
    Effect.gen(function* () {
      const { file, load } = open(temporaryHome());
      writeFileSync(file, `{"auth_mode": "carrierPigeon"}`);
      const error = yield* Effect.flip(load);
      expect(error.message).toContain(`${file}:1:15: auth_mode: unknown mode "carrierPigeon"`);
      expect(readFileSync(file, "utf8")).toBe(`{"auth_mode": "carrierPigeon"}`);
    }),
  );
});

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
  return { ...open(home), home, link, secret, secrets, untouched };
};

const intact = { uid: 0, content: text("sk-root"), names: ["real.json"] };
const distrust = {
  code: "LOGIN_STORE_UNWRITABLE",
  reason: "this process is root, and another user's link leads to what is not that user's",
};

describe.skipIf(process.getuid?.() !== 0)("root, in another user's folder,", () => {
  it.live("follows no link of that user's to what is not theirs", () =>
    Effect.gen(function* () {
      const { checkWritable, file, link, remove, save, secret, untouched } = foreignHome();
      link(secret, 4242);
      for (const deed of [checkWritable, save("sk-1"), remove])
        expect(yield* Effect.flip(Effect.asVoid(deed))).toMatchObject(distrust);
      expect(untouched()).toEqual(intact);
      expect(readlinkSync(file)).toBe(secret);
    }),
  );

  it.live("makes nothing where such a link leads", () =>
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

  it.live(
    "stays in the folder that it looked at when the name leads elsewhere meanwhile",
    (context) =>
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
        const fiber = yield* Effect.forkChild(Effect.flip(save("sk-1")));
        yield* Effect.sleep(100);
        // The lock is still held, so the save has looked at the target and waits.
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
      const { checkWritable, file, save } = open(home);
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

  it.live("is told where not even the lock can be made", () =>
    Effect.gen(function* () {
      const home = temporaryHome();
      chmodSync(home.path, 0o500);
      const error = yield* asOrdinaryUser(home, Effect.flip(open(home).save("sk-1")));
      expect(error).toMatchObject({ code: "LOGIN_HOME_LOCK_FAILED", systemCode: "EACCES" });
    }),
  );

  it.live("is told of a file that cannot be read, which is not the same as none", () =>
    Effect.gen(function* () {
      const home = temporaryHome();
      const { file, load, save } = open(home);
      yield* save("sk-old");
      chmodSync(file, 0o000);
      const error = yield* asOrdinaryUser(home, Effect.flip(load));
      expect(error).toMatchObject({ code: "LOGIN_STORE_UNREADABLE", systemCode: "EACCES" });
      expect(error.message).toBe(`cannot read credentials in ${file}: permission denied`);
      expect(readFileSync(file, "utf8")).toBe(text("sk-old"));
    }),
  );

  it.live("is told of a folder that cannot be looked into", () =>
    Effect.gen(function* () {
      const home = temporaryHome();
      yield* open(home).save("sk-old");
      chmodSync(home.path, 0o000);
      const error = yield* asOrdinaryUser(home, Effect.flip(open(home).load));
      expect(error.code).toBe("LOGIN_STORE_UNREADABLE");
    }),
  );
});
