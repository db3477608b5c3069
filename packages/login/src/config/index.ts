import { isUtf8 } from "node:buffer";
import { join } from "node:path";
import * as Effect from "effect/Effect";
import { checkCodexHome } from "./codex-home.ts";
import { readSmallFile } from "../storage/fs/read.ts";
import { applyOverride, type Override, parseOverride } from "./overrides.ts";
import { readConfig } from "./parse-config.ts";
import { TableReader, WrongKey } from "./table-reader.ts";
import { lineOfKey, parseToml, type TomlTable } from "./toml.ts";
import type { Config } from "./types.ts";
import type { CodexHome } from "./environment.ts";
import {
  type ConfigError,
  ConfigKeyInvalid,
  ConfigSyntaxError,
  ConfigUnreadable,
} from "../errors/config.ts";
import { StoreUnreadable } from "../errors/store.ts";

export * from "./types.ts";

export interface LoadConfigOptions {
  readonly codexHome: CodexHome;
  /** `dotted.key=value`, as given after `-c`; later ones win. Default none. */
  readonly overrides?: ReadonlyArray<string>;
}

/**
 * Reads `$CODEX_HOME/config.toml`, lays the overrides over it, and checks every key that this project uses; others are
 * not looked at. A missing file is an empty one; a `CODEX_HOME` that is set and no folder is an error. Nothing wrong is
 * ever ignored: the error has file, line and key, never a value.
 */
export const loadConfig = (options: LoadConfigOptions): Effect.Effect<Config, ConfigError> =>
  Effect.gen(function* () {
    yield* checkCodexHome(options.codexHome);
    const path = join(options.codexHome.path, "config.toml");
    const text = yield* readConfigFile(path);
    const fromFile: TomlTable = text.trim() === "" ? {} : yield* parseToml(text, path);
    const overrides = yield* Effect.forEach(options.overrides ?? [], parseOverride);
    let table = fromFile;
    for (const override of overrides) table = yield* applyOverride(table, override);
    return yield* Effect.catch(read(table), (wrong) =>
      Effect.flatMap(locate(wrong, { path, text, overrides }), Effect.fail),
    );
  });

const readConfigFile = (path: string): Effect.Effect<string, ConfigError> =>
  Effect.suspend((): Effect.Effect<string, ConfigError> => {
    let bytes: Uint8Array | undefined;
    try {
      bytes = readSmallFile(path);
    } catch (error) {
      const reason = error instanceof StoreUnreadable ? error.reason : "an unexpected failure";
      return Effect.fail(new ConfigUnreadable({ path, reason }));
    }
    if (bytes === undefined) return Effect.succeed("");
    if (!isUtf8(bytes))
      return Effect.fail(new ConfigSyntaxError({ where: path, reason: "it is not UTF-8" }));
    return Effect.succeed(new TextDecoder().decode(bytes)); // drops the byte order mark of some editors
  });

const read = (table: TomlTable): Effect.Effect<Config, WrongKey> =>
  Effect.try({
    try: () => readConfig(new TableReader(table)),
    catch: (error) => {
      if (error instanceof WrongKey) return error;
      throw error;
    },
  });

interface Sources {
  readonly path: string;
  readonly text: string;
  readonly overrides: ReadonlyArray<Override>;
}

/** Tells whether the file or an override is to blame, and where. */
const locate = (wrong: WrongKey, sources: Sources): Effect.Effect<ConfigKeyInvalid> =>
  Effect.gen(function* () {
    const key = wrong.path.join(".");
    const { expected } = wrong;
    const isOverridden = sources.overrides.some((override) => overlaps(override.path, wrong.path));
    if (isOverridden) return new ConfigKeyInvalid({ where: "-c", key, expected });
    const line =
      (yield* lineOfKey(sources.text, wrong.path)) ??
      (yield* lineOfKey(sources.text, wrong.path.slice(0, -1)));
    const where = sources.path;
    return new ConfigKeyInvalid({ where, key, expected, ...(line === undefined ? {} : { line }) });
  });

const overlaps = (one: ReadonlyArray<string>, other: ReadonlyArray<string>): boolean => {
  const length = Math.min(one.length, other.length);
  return one.slice(0, length).every((part, index) => part === other[index]);
};
