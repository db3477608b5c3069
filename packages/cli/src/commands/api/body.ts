import * as Effect from "effect/Effect";
import { constants, openSync } from "node:fs";
import { open, stat } from "node:fs/promises";
import type { Readable } from "node:stream";
import { CliError } from "../../errors/cli-error.ts";

/** Where a request's body comes from. */
export type BodySource =
  | { readonly _tag: "None" }
  | { readonly _tag: "Text"; readonly text: string }
  | { readonly _tag: "File"; readonly path: string }
  | { readonly _tag: "Stdin" };

/** Files up to this many bytes are read whole, so that they can be sent again after a 401. */
const REPLAYABLE_BYTES = 8 * 1024 * 1024;

/** Opens the body. Text and small files can be sent twice, streams cannot. */
export const openBody = (
  source: BodySource,
): Effect.Effect<string | Uint8Array | Readable | null, CliError> => {
  switch (source._tag) {
    case "None":
      return Effect.succeed(null);
    case "Text":
      return Effect.succeed(source.text);
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
      // A device has no size to go by, and can be opened once only.
      if (!found.isFile() || found.size > REPLAYABLE_BYTES) return file.createReadStream();
      const whole = await file.readFile();
      await file.close();
      return whole;
    },
    catch: (error) =>
      new CliError({
        code: "CLI_INPUT_FILE",
        message: `cannot read ${path}${errnoOf(error)}`,
        hint: "Check --input.",
      }),
  });

/**
 * A pipe (`--input <(jq …)`), which nobody may write to for long. Opened and read as a file, it would keep a thread
 * waiting, and this process could not end before that, Ctrl-C or not.
 */
const openPipe = async (path: string): Promise<Readable> => {
  const { Socket } = await import("node:net");
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  return new Socket({ fd, readable: true, writable: false });
};

const errnoOf = (error: unknown) =>
  error instanceof Error && "code" in error ? ` (${String(error.code)})` : "";
