import { describe, expect, it } from "@effect/vitest";
import * as Effect from "effect/Effect";
import * as Fiber from "effect/Fiber";
import * as Redacted from "effect/Redacted";
import { TestClock } from "effect/testing";
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  mkdirSync,
  openSync,
  closeSync,
  readFileSync,
  readdirSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import type { StoreWarning } from "../src/errors/store.ts";
import { layer } from "../src/storage/configured.ts";
import { CredentialStore } from "../src/storage/index.ts";
import { HomeLock } from "../src/storage/lock/index.ts";
import { loadFlock } from "../src/storage/lock/flock.ts";
import { namesIn, openFileStore, text } from "./support/file-store.ts";
import { temporaryFolder, temporaryHome } from "./support/home.ts";
import { locked } from "./support/lock.ts";
import { program, start } from "./support/start-program.ts";

const isRoot = process.getuid?.() === 0;
const canMount =
  isRoot && process.platform === "linux" && spawnSync("unshare", ["-m", "true"]).status === 0;
const whyNoMount = canMount ? "" : " (skipped: needs root on Linux, and unshare)";

/** What the file store answers in a process to which one file was mounted as its auth.json. */
const inMount = (words: ReadonlyArray<string>, options: { readonly isReadOnly?: boolean } = {}) =>
  Effect.promise(async () => {
    const [home, given] = [temporaryFolder(), join(temporaryFolder(), "given.json")];
    writeFileSync(given, text(`sk-old-${"x".repeat(100)}`), { mode: 0o644 });
    writeFileSync(join(home, "auth.json"), "");
    const mount = `mount --bind${options.isReadOnly === true ? " -o ro" : ""} "$1" "$2"/auth.json`;
    const script = `${mount} && shift 2 && exec "$@"`;
    const shell = ["unshare", "-m", "sh", "-c", script, "sh", given, home];
    const { stderr, stdout } = await start([...shell, ...program("use-file-store", home, ...words)])
      .ended;
    expect(stderr).toBe("");
    const { mode } = statSync(given);
    return { home, outcomes: JSON.parse(stdout), content: readFileSync(given, "utf8"), mode };
  });

describe.skipIf(!canMount)(`an auth.json that is a mount point${whyNoMount}`, () => {
  it.live("is written in place, whether the content becomes shorter or longer", () =>
    Effect.gen(function* () {
      const long = `sk-long-${"y".repeat(500)}`;
      const { content, home, mode, outcomes } = yield* inMount([
        "check",
        "save:sk-short",
        "load",
        `save:${long}`,
        "load",
      ]);
      expect(outcomes).toEqual(["done", "done", "sk-short", "done", long]);
      expect(content).toBe(text(long));
      expect(mode & 0o777).toBe(0o600);
      expect(namesIn(home)).toEqual(["auth.json"]);
    }),
  );

  it.live("is emptied by a removal, since it cannot be removed", () =>
    Effect.gen(function* () {
      const { content, outcomes } = yield* inMount(["remove"]);
      expect(outcomes).toEqual([true]);
      expect(content).toBe("{}");
    }),
  );

  it.live("is refused before anything is spent if it is read-only", () =>
    Effect.gen(function* () {
      const { content, outcomes } = yield* inMount(["check", "save:sk-new"], { isReadOnly: true });
      expect(outcomes).toEqual([
        expect.objectContaining({ code: "LOGIN_STORE_UNWRITABLE" }),
        expect.objectContaining({ message: expect.stringContaining("it is read-only") }),
      ]);
      expect(content).toContain("sk-old-");
    }),
  );
});

/** Sets an attribute of ext4 and the like for the time of the effect; false if the file system has none. */
const withAttribute = <A, E>(path: string, use: Effect.Effect<A, E>) =>
  Effect.acquireUseRelease(
    Effect.sync(() => spawnSync("chattr", ["+a", path]).status === 0),
    (isSet) => (isSet ? Effect.asSome(use) : Effect.succeedNone),
    () => Effect.sync(() => void spawnSync("chattr", ["-a", path])),
  );

const hasAttributes = () => {
  const folder = temporaryFolder();
  const isSet = spawnSync("chattr", ["+a", folder]).status === 0;
  spawnSync("chattr", ["-a", folder]);
  return isSet;
};

describe("CredentialStore.checkWritable, file, refuses beforehand", () => {
  it.live(
    "an append-only folder, and leaves one empty file there, however often it is asked",
    ({ skip }) =>
      Effect.gen(function* () {
        if (!hasAttributes()) skip("needs root and a file system with chattr +a");
        const home = temporaryHome();
        const { checkWritable, save } = openFileStore(home);
        yield* save("sk-old");
        const refused = Effect.all([Effect.flip(checkWritable), Effect.flip(checkWritable)]);
        const found = yield* withAttribute(home.path, refused);
        for (const error of found._tag === "Some" ? found.value : [])
          expect(error).toMatchObject({
            code: "LOGIN_STORE_UNWRITABLE",
            reason: "files in its folder cannot be replaced or removed (append-only)",
            hint: `Run: sudo chattr -a ${home.path}`,
          });
        const left = namesIn(home.path).filter((name) => name.endsWith(".tmp"));
        expect(left.length).toBe(1);
        expect(readFileSync(join(home.path, left[0] ?? ""), "utf8").trim()).toBe("");
      }),
  );

  it.live("a file that can only be appended to", ({ skip }) =>
    Effect.gen(function* () {
      if (!hasAttributes()) skip("needs root and a file system with chattr +a");
      const { checkWritable, file, save } = openFileStore(temporaryHome());
      yield* save("sk-old");
      const found = yield* withAttribute(file, Effect.flip(checkWritable));
      expect(found).toMatchObject({ value: { systemCode: "EPERM", reason: "it is read-only" } });
    }),
  );

  it.live("a sticky folder in which the file is another user's", ({ skip }) =>
    Effect.gen(function* () {
      if (!isRoot) skip("needs root, to work as two users");
      const { checkWritable, file, save } = openFileStore(temporaryHome());
      yield* save("sk-old");
      const folder = join(file, "..");
      chownSync(folder, 4242, 4242);
      chmodSync(folder, 0o1777);
      chmodSync(file, 0o666);
      process.seteuid?.(65_534);
      const error = yield* Effect.ensuring(
        Effect.flip(checkWritable),
        Effect.sync(() => process.seteuid?.(0)),
      );
      expect(error).toMatchObject({
        code: "LOGIN_STORE_UNWRITABLE",
        reason: "its folder is sticky, so only the owner of the file can replace it",
      });
      expect(readFileSync(file, "utf8")).toBe(text("sk-old"));
    }),
  );

  it.effect(
    "a lock beside the file that another program holds for longer than a write takes",
    ({ skip }) =>
      Effect.gen(function* () {
        const tryFlock = yield* Effect.promise(loadFlock);
        if (tryFlock === undefined) return skip("needs flock");
        const { checkWritable, file } = openFileStore(temporaryHome());
        writeFileSync(file, text("sk-old"));
        const held = openSync(`${file}.lock`, "w");
        tryFlock(held);
        const fiber = yield* Effect.forkChild(Effect.flip(checkWritable));
        while (fiber.pollUnsafe() === undefined) {
          yield* TestClock.adjust(500);
          yield* Effect.promise(() => new Promise(setImmediate));
        }
        closeSync(held);
        expect(yield* Fiber.join(fiber)).toMatchObject({
          code: "LOGIN_HOME_LOCK_BUSY",
          path: `${file}.lock`,
        });
      }),
  );
});

describe("CredentialStore, file", () => {
  it.live.each([
    ["/ROOT/missing/deeper/real.json", "missing/deeper"],
    ["../missing/deeper/real.json", "missing/deeper"],
    ["../disk/../missing/real.json", "real/missing"],
  ] as const)("creates the missing folder that a dangling link leads to: %s", ([pointer, folder]) =>
    Effect.gen(function* () {
      const root = temporaryFolder();
      const codexHome = { path: join(root, "home"), explicit: true };
      mkdirSync(codexHome.path);
      mkdirSync(join(root, "real", "disk"), { recursive: true });
      symlinkSync(join(root, "real", "disk"), join(root, "disk")); // `..` of it is `real`
      const { checkWritable, file, save } = openFileStore(codexHome);
      symlinkSync(pointer.replace("/ROOT", root), file);
      yield* checkWritable;
      yield* save("sk-1");
      expect(readFileSync(join(root, folder, "real.json"), "utf8")).toBe(text("sk-1"));
      expect(statSync(join(root, folder)).mode & 0o777).toBe(0o700);
    }),
  );

  it.live.each(["auth.json", "a link to it"])(
    "removes the name of a hard-linked file and warns of the other name (%s)",
    (kind) =>
      Effect.gen(function* () {
        const codexHome = temporaryHome();
        const real = kind === "auth.json" ? codexHome.path : temporaryFolder();
        const file = join(real, "auth.json");
        writeFileSync(file, text("sk-old"));
        linkSync(file, `${file}.other`);
        if (real !== codexHome.path) symlinkSync(file, join(codexHome.path, "auth.json"));
        const warnings: Array<StoreWarning> = [];
        const onWarning = (warning: StoreWarning) => Effect.sync(() => void warnings.push(warning));
        const remove = locked(CredentialStore.use((store) => store.remove()));
        const stores = layer({ mode: "file", codexHome, onWarning });
        expect(yield* Effect.provide(remove, stores)).toBe(true);
        expect(existsSync(file)).toBe(false);
        expect(namesIn(codexHome.path)).not.toContain("auth.json");
        expect(warnings.map(({ code }) => code)).toEqual(["LOGIN_CREDENTIAL_COPY_REMAINS"]);
      }),
  );

  it.live.each([
    ["auth.lock", (path: string) => mkdirSync(path)],
    ["agent-auth.lock", (path: string) => writeFileSync(path, "content")],
    ["auth.json.lock", (path: string) => mkdirSync(path)],
  ] as const)("removes the credential though %s cannot be locked, and says so", ([name, spoil]) =>
    Effect.gen(function* () {
      const codexHome = temporaryHome();
      const file = join(codexHome.path, "auth.json");
      writeFileSync(file, text("sk-old"));
      spoil(join(codexHome.path, name));
      const warnings: Array<StoreWarning> = [];
      const onWarning = (warning: StoreWarning) => Effect.sync(() => void warnings.push(warning));
      const { lock, store } = yield* Effect.provide(
        Effect.all({ store: CredentialStore, lock: HomeLock }),
        layer({ mode: "file", codexHome, onWarning }),
      );
      const removed = yield* lock.withLockIfAvailable(store.remove(), { onUnavailable: onWarning });
      expect([removed, existsSync(file)]).toEqual([true, false]);
      expect(warnings).toMatchObject([
        { code: "LOGIN_HOME_LOCK_FAILED", path: join(codexHome.path, name) },
      ]);
    }),
  );

  it.live("says that the sign-in is in Codex's encrypted store, and stores none beside it", () =>
    Effect.gen(function* () {
      const codexHome = temporaryHome();
      const stores = layer({ mode: "file", codexHome, secretAuthStorage: true });
      const use = <A, E>(work: (store: CredentialStore["Service"]) => Effect.Effect<A, E>) =>
        Effect.provide(CredentialStore.use(work), stores);
      expect((yield* use((store) => store.load))._tag).toBe("None");
      const encrypted = join(codexHome.path, "secrets", "codex_auth.age");
      mkdirSync(dirname(encrypted));
      writeFileSync(encrypted, "age");
      const save = CredentialStore.use((store) =>
        store.save({ openaiApiKey: Redacted.make("sk-second") }),
      );
      for (const operation of [
        use((store) => Effect.asVoid(store.load)),
        use((store) => store.checkWritable),
        Effect.provide(locked(Effect.asVoid(save)), stores),
      ])
        expect((yield* Effect.flip(operation)).message).toBe(
          `the sign-in is in Codex's encrypted store (${encrypted}), which agent-auth cannot read`,
        );
      expect(readdirSync(codexHome.path)).not.toContain("auth.json");
    }),
  );
});
