import { describe, expect, it } from "@effect/vitest";
import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import * as Redacted from "effect/Redacted";
import { spawnSync } from "node:child_process";
import {
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { layer } from "../src/storage/configured.ts";
import { CredentialStore } from "../src/storage/index.ts";
import { loadFlock } from "../src/storage/lock/flock.ts";
import { namesIn, openFileStore, text } from "./support/file-store.ts";
import { temporaryFolder, temporaryHome } from "./support/home.ts";
import { locked } from "./support/lock.ts";

describe("CredentialStore.save, file", () => {
  it.live("writes pretty JSON without a newline at the end, readable to its owner only", () =>
    Effect.gen(function* () {
      const home = temporaryHome();
      const { file, save } = openFileStore(home);
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
      const { load, remove, save } = openFileStore({ path, explicit: false });
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
      const { file, load, save } = openFileStore(home);
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

  it.live("resolves .. in the target of a linked folder, as the system does", () =>
    Effect.gen(function* () {
      const home = temporaryHome();
      const elsewhere = temporaryFolder();
      const { file, load, save } = openFileStore(home);
      mkdirSync(join(elsewhere, "deep"));
      symlinkSync(join(elsewhere, "deep"), join(home.path, "folder"));
      symlinkSync("folder/../real.json", file);
      writeFileSync(join(elsewhere, "real.json"), text("sk-old"));
      yield* save("sk-1");
      expect(readFileSync(join(elsewhere, "real.json"), "utf8")).toBe(text("sk-1"));
      expect(namesIn(home.path)).toEqual(["auth.json", "folder"]);
      const { document } = Option.getOrThrow(yield* load);
      expect(document.openaiApiKey && Redacted.value(document.openaiApiKey)).toBe("sk-1");
    }),
  );

  it.live("makes the file that a link leads to", () =>
    Effect.gen(function* () {
      const home = temporaryHome();
      const target = join(temporaryFolder(), "real.json");
      const { file, load, save } = openFileStore(home);
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
      yield* openFileStore(home).save("sk-1");
      const names = readdirSync(home.path);
      expect(names).toContain("auth.json");
      const owners = names.map((name) => statSync(join(home.path, name)).uid);
      expect(owners).toEqual(names.map(() => 4242));
    }),
  );

  it.live("leaves a file to its owner when root writes it", (context) =>
    Effect.gen(function* () {
      if (process.getuid?.() !== 0) return context.skip("only root can write other users' files");
      const { file, save } = openFileStore(temporaryHome());
      writeFileSync(file, "{}");
      chownSync(file, 4242, 4243);
      yield* save("sk-1");
      expect([statSync(file).uid, statSync(file).gid]).toEqual([4242, 4243]);
    }),
  );

  it.live("sweeps temporary files of dead and forgotten writers, and no others", () =>
    Effect.gen(function* () {
      const home = temporaryHome();
      const { remove, save } = openFileStore(home);
      const dead = spawnSync(process.execPath, ["--version"]).pid;
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

describe("CredentialStore.save, file, of many unknown members", () => {
  it.live("is written without white space if it would otherwise be too large to read", () =>
    Effect.gen(function* () {
      const home = temporaryHome();
      const { file, load } = openFileStore(home);
      const members = Array.from({ length: 85_000 }, (_, index) => `"k${index}":1`);
      writeFileSync(file, `{${members.join(",")}}`);
      const { document } = Option.getOrThrow(yield* load);
      yield* CredentialStore.use((store) =>
        Effect.andThen(
          store.checkWritable,
          locked(store.save({ ...document, openaiApiKey: Redacted.make("sk-1") })),
        ),
      ).pipe(Effect.provide(layer({ mode: "file", codexHome: home })));
      const again = Option.getOrThrow(yield* load);
      expect(again.document.unknown?.length).toBe(85_000);
      expect(statSync(file).size).toBeLessThan(1024 * 1024);
    }),
  );
});

describe("CredentialStore.remove, file", () => {
  it.live("removes the target of a link, and then the link", () =>
    Effect.gen(function* () {
      const home = temporaryHome();
      const target = join(temporaryFolder(), "real.json");
      const { file, remove } = openFileStore(home);
      writeFileSync(target, text("sk-1"));
      symlinkSync(target, file);
      expect(yield* remove).toBe(true);
      expect(existsSync(target)).toBe(false);
      expect(namesIn(home.path)).toEqual([]);
    }),
  );

  it.live("removes only the link if its target is not an auth.json", () =>
    Effect.gen(function* () {
      for (const content of ["root:x:0:0\n", '{"a":1}', "{}", ""]) {
        const home = temporaryHome();
        const folder = temporaryFolder();
        const target = join(folder, "somebody's own");
        const { file, remove } = openFileStore(home);
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
      for (const target of ["missing.json", "missing/auth.json", "missing/../auth.json"]) {
        const { file, remove } = openFileStore(temporaryHome());
        symlinkSync(target, file);
        expect(yield* remove).toBe(false);
        expect(readlinkSync(file)).toBe(target);
      }
    }),
  );

  it.live("removes a file that cannot be parsed, and one that is read-only", () =>
    Effect.gen(function* () {
      const { file, remove } = openFileStore(temporaryHome());
      writeFileSync(file, "{{{");
      expect(yield* remove).toBe(true);
      writeFileSync(file, text("sk-1"), { mode: 0o400 });
      expect(yield* remove).toBe(true);
      expect(existsSync(file)).toBe(false);
    }),
  );
});
