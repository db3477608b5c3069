import * as Effect from "effect/Effect";
import { ConfigKeyInvalid, ConfigSyntaxError } from "../errors/config.ts";
import { isTable, member, parseToml, type TomlTable, withMember } from "./toml.ts";

export interface Override {
  readonly path: ReadonlyArray<string>;
  readonly value: unknown;
}

/** Reads `dotted.key=value`, as it stands after `-c`. The value is TOML or, where it is not, a plain string. */
export const parseOverride = (text: string): Effect.Effect<Override, ConfigSyntaxError> =>
  Effect.gen(function* () {
    const equals = text.indexOf("=");
    const key = text.slice(0, Math.max(equals, 0)).trim();
    if (key === "")
      return yield* new ConfigSyntaxError({ where: "-c", reason: "expected key=value" });
    const raw = text.slice(equals + 1).trim();
    return { path: yield* parseKey(key), value: yield* parseValue(raw) };
  });

/** A key as TOML has it, quoted parts included; else simply cut at its dots. */
const parseKey = (key: string): Effect.Effect<ReadonlyArray<string>, ConfigSyntaxError> =>
  Effect.gen(function* () {
    const where = "-c";
    const table = yield* Effect.orElseSucceed(parseToml(`${key} = 0`, where), () => undefined);
    const path = table === undefined ? key.split(".").map((part) => part.trim()) : onlyPath(table);
    if (path.includes(""))
      return yield* new ConfigSyntaxError({ where, reason: "part of the key is empty" });
    return path;
  });

const onlyPath = (table: TomlTable): ReadonlyArray<string> => {
  const [entry] = Object.entries(table);
  if (entry === undefined) return [];
  const [key, value] = entry;
  return isTable(value) ? [key, ...onlyPath(value)] : [key];
};

const parseValue = (raw: string): Effect.Effect<unknown> =>
  parseToml(`value = ${raw}`, "-c").pipe(
    Effect.map((table) => (Object.keys(table).length === 1 ? member(table, "value") : raw)),
    Effect.orElseSucceed(() => raw),
  );

/** A table with one override laid over it; tables on the way are made. */
export const applyOverride = (
  table: TomlTable,
  { path, value }: Override,
  done: ReadonlyArray<string> = [],
): Effect.Effect<TomlTable, ConfigKeyInvalid> =>
  Effect.gen(function* () {
    const [key, ...rest] = path;
    if (key === undefined) return table;
    if (rest.length === 0) return withMember(table, key, value);
    const inner = member(table, key) ?? {};
    const here = [...done, key];
    if (!isTable(inner))
      return yield* new ConfigKeyInvalid({
        where: "-c",
        key: [...done, ...path].join("."),
        expected: `absent, since ${here.join(".")} is no table`,
      });
    return withMember(table, key, yield* applyOverride(inner, { path: rest, value }, here));
  });
