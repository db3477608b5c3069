import * as Effect from "effect/Effect";
import { constants, createReadStream, openSync } from "node:fs";
import { open, stat } from "node:fs/promises";
import type { Readable } from "node:stream";
import { CliError } from "../../errors/cli-error.ts";
import { inputFileError } from "../../input-file.ts";
import { isBun } from "../../version.ts";
import { type Field, fieldsToJson, resolveFields } from "./fields.ts";

/** Where the body of a request comes from. */
export type BodySource =
  | { readonly _tag: "None" }
  | { readonly _tag: "Text"; readonly text: string }
  | { readonly _tag: "Fields"; readonly fields: readonly Field[] }
  | { readonly _tag: "File"; readonly path: string }
  | { readonly _tag: "Stdin" };

/** Files of up to this many bytes are read whole, so that they can be sent again after a 401. */
const REPLAYABLE_BYTES = 8 * 1024 * 1024;

/** Opens the body. Text and small files can be sent again; streams cannot. */
export const openBody = (
  source: BodySource,
): Effect.Effect<string | Uint8Array | Readable | null, CliError> => {
  switch (source._tag) {
    case "None":
      return Effect.succeed(null);
    case "Text":
      return Effect.succeed(source.text);
    case "Fields":
      return Effect.map(resolveFields(source.fields), fieldsToJson);
    case "Stdin":
      return Effect.sync(() => process.stdin);
    case "File":
      return openFile(source.path);
  }
};

const openFile = (path: string) =>
  Effect.tryPromise({
    try: async () => {
      if ((await stat(path)).isFIFO()) return await openPipe(path);
      const file = await open(path);
      const found = await file.stat();
      if (found.isDirectory()) {
        await file.close();
        throw Object.assign(new Error("a folder"), { code: "EISDIR" });
      }
      // A device has no meaningful size and can be opened only once.
      if (!found.isFile() || found.size > REPLAYABLE_BYTES) return file.createReadStream();
      const whole = await file.readFile();
      await file.close();
      return whole;
    },
    catch: (error) =>
      inputFileError(path === "" ? "a file without a name" : path, error, "Check the file's name."),
  });

/**
 * Opens a named pipe (`--input <(jq …)`). If it were read as a file, a thread would wait for its writer, and the process
 * could not exit before that, not even on Ctrl-C. Bun does not wait for its threads, and has no `Socket` for a descriptor.
 */
const openPipe = async (path: string): Promise<Readable> => {
  if (isBun) return createReadStream(path);
  const { Socket } = await import("node:net");
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  return new Socket({ fd, readable: true, writable: false });
};
