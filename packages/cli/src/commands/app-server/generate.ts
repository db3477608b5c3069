import { generateJsonSchemaFiles, generateTypeScriptFiles } from "@agent-auth/app-server/schema";
import * as Effect from "effect/Effect";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Command, CommandSpec, FlagTable, GlobalValues } from "../../argv/command-spec.ts";
import { UsageError } from "../../argv/usage-error.ts";
import { CliError } from "../../errors/cli-error.ts";
import { exitCode } from "../../errors/exit-code.ts";
import { reportError } from "../../errors/report.ts";
import { makeNotify } from "../../terminal/write.ts";
import { jsonSchemaSpec, typeScriptSpec } from "./specs.ts";

export interface GenerateOptions {
  /** The folder to write to; created if it does not exist. */
  readonly folder: string;
  readonly experimental: boolean;
  readonly globals: GlobalValues;
}

type GenerateFlags = FlagTable & typeof jsonSchemaSpec.flags;

const optionsFor =
  (spec: CommandSpec<GenerateFlags>): Command<GenerateFlags, GenerateOptions>["options"] =>
  ({ flags, globals }) => {
    if (flags.out === undefined) throw new UsageError("--out DIR is required", spec.path);
    return { folder: flags.out, experimental: flags.experimental, globals };
  };

export const jsonSchema = {
  command: { spec: jsonSchemaSpec, options: optionsFor(jsonSchemaSpec) },
  /** Writes one file for each type, and two files that contain the schemas of all types. */
  run: ({ experimental, folder, globals }: GenerateOptions) =>
    writeAll(
      folder,
      globals,
      Object.fromEntries(
        Object.entries(generateJsonSchemaFiles({ experimental })).map(([path, schema]) => [
          path,
          `${JSON.stringify(schema, null, 2)}\n`,
        ]),
      ),
    ),
};

export const typeScript = {
  command: { spec: typeScriptSpec, options: optionsFor(typeScriptSpec) },
  /** Writes one module for each type, and two index modules that re-export them. */
  run: ({ experimental, folder, globals }: GenerateOptions) =>
    writeAll(folder, globals, generateTypeScriptFiles({ experimental })),
};

const writeAll = (folder: string, globals: GlobalValues, files: Readonly<Record<string, string>>) =>
  Effect.tryPromise({
    try: async () => {
      const paths = Object.keys(files).map((path) => join(folder, path));
      for (const parent of new Set([folder, ...paths.map(dirname)]))
        await mkdir(parent, { recursive: true });
      for (const [path, text] of Object.entries(files)) await writeFile(join(folder, path), text);
      const count = Object.keys(files).length;
      makeNotify(globals)(`Wrote ${count} ${count === 1 ? "file" : "files"} to ${folder}`);
      return exitCode.done;
    },
    catch: (error) =>
      new CliError({
        code: "CLI_APP_SERVER_OUTPUT_FOLDER",
        message: `cannot write to ${folder} (${error instanceof Error && "code" in error ? String(error.code) : "unknown"})`,
        hint: "Name a folder that you can write to with --out.",
      }),
  }).pipe(Effect.catch((error) => Effect.sync(() => reportError("Error", error))));
