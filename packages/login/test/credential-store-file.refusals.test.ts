import { describe, expect, it } from "@effect/vitest";
import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import * as Redacted from "effect/Redacted";
import { spawnSync } from "node:child_process";
import { linkSync, lstatSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
import { layer } from "../src/storage/configured.ts";
import { CredentialStore } from "../src/storage/index.ts";
import { namesIn, openFileStore, text } from "./support/file-store.ts";
import { temporaryFolder, temporaryHome } from "./support/home.ts";
import { locked } from "./support/lock.ts";

const padding = (size: number): string => `{"x":"${"x".repeat(size - 8)}"}`;

const refusing = (prepare: (file: string) => void) =>
  Effect.gen(function* () {
    const home = temporaryHome();
    const store = openFileStore(home);
    prepare(store.file);
    const before = lstatSync(store.file);
    const errors = yield* Effect.forEach(
      [store.checkWritable, store.save("sk-new"), store.remove, store.load],
      (operation) => Effect.result(operation),
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

  it.live("to write a hard-linked file, which would keep the secret under another name", () =>
    Effect.gen(function* () {
      const { file, codes, reasons } = yield* refusing((file) => {
        writeFileSync(file, text("sk-old"));
        linkSync(file, `${file}.other`);
      });
      expect(codes).toEqual([writable, writable, "done", "done"]);
      expect(reasons[0]).toContain("hard link");
      expect(readFileSync(`${file}.other`, "utf8")).toBe(text("sk-old"));
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
      const { file, load } = openFileStore(temporaryHome());
      writeFileSync(file, padding(1024 * 1024));
      expect(Option.isSome(yield* load)).toBe(true);
      writeFileSync(file, padding(1024 * 1024 + 1));
      expect((yield* Effect.flip(load)).code).toBe(readable);
    }),
  );

  it.live("to write more than it would read again, also beforehand", () =>
    Effect.gen(function* () {
      const { checkWritable, file, load, save } = openFileStore(temporaryHome());
      const [barely, tooLarge] = [1024 * 1024 - 1_000, 1024 * 1024];
      for (const size of [barely, tooLarge]) {
        const before = padding(size);
        writeFileSync(file, before);
        const { document } = Option.getOrThrow(yield* load);
        const stores = layer({ mode: "file", codexHome: { path: dirname(file), explicit: true } });
        const saveLarger = locked(
          CredentialStore.use((store) =>
            store.save({ ...document, openaiApiKey: Redacted.make("x".repeat(2_000)) }),
          ),
        );
        const refused = [
          yield* Effect.flip(checkWritable),
          yield* Effect.flip(Effect.provide(saveLarger, stores)),
        ];
        for (const error of refused)
          expect(error).toMatchObject({
            code: writable,
            reason: "the content would be larger than 1 MiB, the limit for reading it",
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
        const store = openFileStore({ path: join(folder, name), explicit: true });
        for (const operation of [
          store.load,
          store.save("sk-1"),
          store.remove,
          store.checkWritable,
        ]) {
          const error = yield* Effect.flip(Effect.asVoid(operation));
          expect(error.code).toBe("LOGIN_CODEX_HOME_UNUSABLE");
          expect(error.message).toContain(join(folder, name));
        }
      }
      expect(namesIn(folder)).toEqual(["file"]);
    }),
  );

  it.live("a document that it cannot read, and leaves it as it is", () =>
    Effect.gen(function* () {
      const { file, load } = openFileStore(temporaryHome());
      writeFileSync(file, `{"auth_mode": "carrierPigeon"}`);
      const error = yield* Effect.flip(load);
      expect(error.message).toContain(`${file}:1:15: auth_mode: unknown mode "carrierPigeon"`);
      expect(readFileSync(file, "utf8")).toBe(`{"auth_mode": "carrierPigeon"}`);
    }),
  );
});
