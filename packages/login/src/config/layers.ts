import { isUtf8 } from "node:buffer";
import { join } from "node:path";
import * as Effect from "effect/Effect";
import * as Redacted from "effect/Redacted";
import type { LoginEnvironment } from "./environment.ts";
import { readHomeFile } from "./home-file.ts";
import { readPreference } from "./managed-preferences.ts";
import { lineOfKey } from "./key-line.ts";
import {
  defaultSystemFolder,
  hasSystemFolder,
  readSystemFile,
  type SystemFileName,
} from "./system-files.ts";
import {
  isTable,
  mergeTables,
  parseToml,
  type TomlTable,
  valueAt,
  valueOf,
  withValue,
} from "./toml.ts";
import {
  commandLine,
  type ConfigError,
  ConfigKeyInvalid,
  ConfigSyntaxError,
  ConfigUnreadable,
  configVariable,
  sharedStoreVariable,
} from "../errors/config.ts";
import { compact } from "../internal/compact.ts";

/** One source of configuration keys. Later layers of a list win over earlier ones. */
export interface ConfigLayer {
  /** As errors name it: the file's path, `AGENT_AUTH_CONFIG` or `-c`. */
  readonly where: string;
  readonly table: TomlTable;
  /** The source text, for line numbers in errors; absent for `-c`. */
  readonly text?: string;
  /** Relative paths in this layer start here; absent: in the working directory. */
  readonly folder?: string;
  /** The file's path if the layer is a file. Child processes read it themselves. */
  readonly file?: string;
  /** Whether an administrator wrote it. */
  readonly isSystemFile?: true;
}

export interface ConfigSources extends Pick<
  LoginEnvironment,
  | "codexHome"
  | "configToml"
  | "dotEnvProblem"
  | "managedPreferences"
  | "sharedStore"
  | "systemFolder"
> {
  /** `dotted.key=value`, as after `-c`; later ones win. Default none. */
  readonly overrides?: ReadonlyArray<string>;
}

/** Reads every layer, lowest first. A source that does not exist has no layer. */
export const loadLayers = (
  sources: ConfigSources,
): Effect.Effect<ReadonlyArray<ConfigLayer>, ConfigError> =>
  Effect.gen(function* () {
    if (sources.dotEnvProblem !== undefined)
      return yield* new ConfigUnreadable(sources.dotEnvProblem);
    const layers = [
      yield* systemFile(sources, "config.toml"),
      yield* userFile(sources),
      yield* environmentVariable(sources),
      sharedStoreLayer(sources),
      yield* overridesLayer(sources.overrides ?? []),
      yield* systemFile(sources, "managed_config.toml"),
      yield* managedPreference(sources),
    ];
    return layers.filter((layer) => layer !== undefined);
  });

type LoadedLayer = Effect.Effect<ConfigLayer | undefined, ConfigError>;

/** As in Codex, `managed_config.toml` is in CODEX_HOME on Windows. */
const systemFile = (sources: ConfigSources, name: SystemFileName): LoadedLayer =>
  Effect.gen(function* () {
    if (process.platform === "win32" && name === "managed_config.toml")
      return yield* homeFile(sources, name);
    const folder = sources.systemFolder ?? defaultSystemFolder;
    if (!hasSystemFolder(folder)) return undefined;
    const file = yield* readSystemFile(folder, name);
    return file === undefined
      ? undefined
      : yield* fileLayer(file.bytes, { where: file.path, folder, isSystemFile: true });
  });

/** As in Codex, device management comes before the file. Relative paths start in the system folder. */
const managedPreference = (sources: ConfigSources): LoadedLayer =>
  Effect.gen(function* () {
    const found = yield* readPreference(sources, "config_toml_base64");
    if (found === undefined) return undefined;
    const folder = sources.systemFolder ?? defaultSystemFolder;
    return yield* textLayer(found.text, { where: found.where, folder, isSystemFile: true });
  });

const userFile = (sources: ConfigSources): LoadedLayer => homeFile(sources, "config.toml");

const homeFile = ({ codexHome }: ConfigSources, name: string): LoadedLayer =>
  Effect.suspend((): LoadedLayer => {
    const where = join(codexHome.path, name);
    const file = readHomeFile(codexHome, name);
    if (file._tag === "Failed") return Effect.fail(file.error);
    if (file._tag === "NoAccess" && codexHome.explicit) return Effect.fail(file.error);
    if (file._tag === "NoAccess")
      // The folder of another user, such as HOME of the caller of sudo: this user has no configuration there.
      return Effect.as(
        Effect.logWarning(`${where} is not used: no access to its folder`),
        undefined,
      );
    if (file._tag === "Absent") return Effect.succeed(undefined);
    return fileLayer(file.bytes, { where, folder: codexHome.path });
  });

interface LayerFacts {
  readonly where: string;
  readonly folder: string;
  readonly isSystemFile?: true;
}

const fileLayer = (bytes: Uint8Array, facts: LayerFacts): LoadedLayer => {
  const { folder: _, ...part } = facts;
  return isUtf8(bytes)
    ? // The decoder drops the byte order mark that some editors write.
      textLayer(new TextDecoder().decode(bytes), { ...facts, file: facts.where })
    : Effect.fail(new ConfigSyntaxError({ ...part, reason: "it is not UTF-8" }));
};

/** Relative paths start in CODEX_HOME: child processes inherit the variable but may have another working directory. */
const environmentVariable = ({ codexHome, configToml }: ConfigSources): LoadedLayer =>
  configToml === undefined
    ? Effect.succeed(undefined)
    : textLayer(Redacted.value(configToml), { where: configVariable, folder: codexHome.path });

/** The keys of a shared store in variables. Programs that this one starts do not get them. */
const sharedStoreLayer = ({ codexHome, sharedStore }: ConfigSources): ConfigLayer | undefined => {
  if (sharedStore === undefined) return undefined;
  const { hasKeys, keyFile, url } = sharedStore;
  const table = compact({
    store: url === undefined ? undefined : Redacted.value(url),
    store_key_file: keyFile,
    store_key_env: hasKeys ? "AGENT_AUTH_STORE_KEY" : undefined,
  });
  return { where: sharedStoreVariable, folder: codexHome.path, table: { agent_auth: table } };
};

const textLayer = (text: string, facts: LayerFacts & { readonly file?: string }): LoadedLayer =>
  text.trim() === ""
    ? Effect.succeed(undefined)
    : Effect.map(parseToml(text, facts), (table) => ({ ...facts, table, text }));

const overridesLayer = (overrides: ReadonlyArray<string>): LoadedLayer =>
  Effect.gen(function* () {
    if (overrides.length === 0) return undefined;
    let table: TomlTable = {};
    for (const override of overrides) table = setAt(table, yield* parseOverride(override));
    return { where: commandLine, table };
  });

interface Override {
  readonly path: ReadonlyArray<string>;
  readonly value: unknown;
}

/** Reads `dotted.key=value`, as after `-c`. The value is TOML, or a plain string if it does not parse. */
const parseOverride = (text: string): Effect.Effect<Override, ConfigSyntaxError> =>
  Effect.gen(function* () {
    const equals = text.indexOf("=");
    const key = text.slice(0, Math.max(equals, 0)).trim();
    if (key === "")
      return yield* new ConfigSyntaxError({ where: commandLine, reason: "expected key=value" });
    const raw = text.slice(equals + 1).trim();
    return { path: yield* parseKey(key), value: yield* parseValue(raw) };
  });

/** A TOML key, with quoted parts; if it does not parse, its parts are separated at the dots. */
const parseKey = (key: string): Effect.Effect<ReadonlyArray<string>, ConfigSyntaxError> =>
  Effect.gen(function* () {
    const parsed = parseToml(`${key} = 0`, { where: commandLine });
    const table = yield* Effect.orElseSucceed(parsed, () => undefined);
    const path = table === undefined ? key.split(".").map((part) => part.trim()) : onlyPath(table);
    if (path.includes(""))
      return yield* new ConfigSyntaxError({
        where: commandLine,
        reason: "part of the key is empty",
      });
    return path;
  });

const onlyPath = (table: TomlTable): ReadonlyArray<string> => {
  const path: Array<string> = [];
  for (let value: unknown = table; isTable(value);) {
    const [key] = Object.keys(value);
    if (key === undefined) break;
    path.push(key);
    value = valueOf(value, key);
  }
  return path;
};

const parseValue = (raw: string): Effect.Effect<unknown> =>
  parseToml(`value = ${raw}`, { where: commandLine }).pipe(
    Effect.map((table) => (Object.keys(table).length === 1 ? valueOf(table, "value") : raw)),
    Effect.orElseSucceed(() => raw),
  );

/** If the path leads through a value that is not a table, a table replaces the value, as in Codex. */
const setAt = (table: TomlTable, { path, value }: Override): TomlTable => {
  const [key, ...rest] = path;
  if (key === undefined) return table;
  if (rest.length === 0) return withValue(table, key, value);
  const inner = valueOf(table, key);
  return withValue(table, key, setAt(isTable(inner) ? inner : {}, { path: rest, value }));
};

/** Returns the keys of all layers in one table. */
export const mergeLayers = (layers: ReadonlyArray<ConfigLayer>): TomlTable => {
  const [first, ...others] = layers;
  if (first === undefined) return {};
  return others.reduce((merged, { table }) => mergeTables(merged, table), first.table);
};

/** Returns the layer that decides a key, which is the last one that has it. */
export const layerOf = (
  layers: ReadonlyArray<ConfigLayer>,
  path: ReadonlyArray<string>,
): ConfigLayer | undefined => layers.findLast(({ table }) => valueAt(table, path) !== undefined);

/** Returns the error for a wrong key: it names the layer and the line of the key, or of the table that lacks the key. */
export const keyError = (
  layers: ReadonlyArray<ConfigLayer>,
  path: ReadonlyArray<string>,
  problem: string,
): ConfigKeyInvalid => {
  const key = path.join(".");
  for (let length = path.length; length > 0; length--) {
    const part = path.slice(0, length);
    const layer = layerOf(layers, part);
    if (layer === undefined) continue;
    const line = layer.text === undefined ? undefined : lineOfKey(layer.text, part);
    const { isSystemFile, where } = layer;
    return new ConfigKeyInvalid({ where, key, problem, ...compact({ line, isSystemFile }) });
  }
  return new ConfigKeyInvalid({ where: commandLine, key, problem });
};
