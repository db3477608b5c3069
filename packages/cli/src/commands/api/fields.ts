import * as Effect from "effect/Effect";
import { UsageError } from "../../argv/usage-error.ts";
import { CliError } from "../../errors/cli-error.ts";
import { readInputFile } from "../../input-file.ts";
import { readStdin } from "../../terminal/read-secret.ts";
import { spec } from "./spec.ts";

/** One `-f` or `-F`: where its value belongs in the body, and the value. */
export interface Field {
  readonly path: readonly string[];
  readonly value: FieldValue;
}

export type FieldValue =
  | { readonly _tag: "Literal"; readonly value: Scalar }
  /** A file's text; `-` is stdin. */
  | { readonly _tag: "File"; readonly path: string };

/**
 * Reads `-f KEY=VALUE`. A key may be nested as in gh: `a[b]=c`, `a[]=c`, `a[][b]=c`.
 *
 * @throws UsageError if it has no `=` or the key is malformed
 */
export const parseRawField = (given: string): Field => {
  const [path, value] = splitField(given, "-f");
  return { path, value: { _tag: "Literal", value } };
};

/**
 * Reads `-F KEY=VALUE`: like `-f`, but `true`, `false`, `null` and whole numbers get their JSON type, and `@FILE`
 * stands for a file's text.
 */
export const parseTypedField = (given: string): Field => {
  const [path, text] = splitField(given, "-F");
  if (text.startsWith("@")) return { path, value: { _tag: "File", path: text.slice(1) } };
  return { path, value: { _tag: "Literal", value: typedValue(text) } };
};

const splitField = (given: string, flag: string): readonly [readonly string[], string] => {
  const equals = given.indexOf("=");
  const path = equals > 0 ? parseKey(given.slice(0, equals)) : null;
  if (path === null) throw new UsageError(`${flag} takes KEY=VALUE`, spec.path);
  return [path, given.slice(equals + 1)];
};

const parseKey = (key: string): readonly string[] | null => {
  const [, first, rest = ""] = /^([^[\]]+)((?:\[[^[\]]*\])*)$/u.exec(key) ?? [];
  if (first === undefined) return null;
  return [first, ...Array.from(rest.matchAll(/\[([^[\]]*)\]/gu), ([, name = ""]) => name)];
};

const typedValue = (text: string): Scalar => {
  if (text === "true" || text === "false") return text === "true";
  if (text === "null") return null;
  const isSafeInteger = /^-?(?:0|[1-9]\d*)$/u.test(text) && Number.isSafeInteger(Number(text));
  return isSafeInteger ? Number(text) : text;
};

type Scalar = string | number | boolean | null;
type Json = Scalar | Json[] | JsonObject;
interface JsonObject {
  [key: string]: Json;
}

/** A field whose value was read. */
export type ResolvedField = readonly [path: readonly string[], value: Scalar];

/** Reads the files that fields name. */
export const resolveFields = (
  fields: readonly Field[],
): Effect.Effect<readonly ResolvedField[], CliError> =>
  Effect.forEach(fields, ({ path, value }) =>
    value._tag === "Literal"
      ? Effect.succeed([path, value.value] as const)
      : Effect.map(readFieldFile(value.path), (text) => [path, text] as const),
  );

const readFieldFile = (path: string): Effect.Effect<string, CliError> =>
  path === "-"
    ? Effect.map(readStdin("value"), (bytes) => new TextDecoder().decode(bytes))
    : readInputFile(path, "Check the file that -F names.");

/**
 * The object that fields make together, as JSON.
 *
 * @throws UsageError if two fields give one key conflicting types
 */
export const fieldsToJson = (fields: readonly ResolvedField[]): string => {
  const root = emptyObject();
  for (const [path, value] of fields) put(root, path, value);
  return JSON.stringify(root);
};

/** The fields as a query string, for a method that has no body. */
export const fieldsToQuery = (fields: readonly ResolvedField[]): string =>
  new URLSearchParams(
    fields.map(([[first = "", ...rest], value]): [string, string] => [
      first + rest.map((name) => `[${name}]`).join(""),
      String(value),
    ]),
  ).toString();

const put = (target: JsonObject, [name = "", ...below]: readonly string[], value: Json): void => {
  const [next] = below;
  if (next === undefined) target[name] = value;
  else if (next === "") putInArray(arrayAt(target, name), below.slice(1), value);
  else put(objectAt(target, name), below, value);
};

const putInArray = (list: Json[], below: readonly string[], value: Json): void => {
  const [next] = below;
  if (next === undefined) return void list.push(value);
  // As in gh: a key that the last object already has starts a new object.
  const last = list.at(-1);
  const isNew = !isObject(last) || Object.hasOwn(last, next);
  const object = isNew ? emptyObject() : last;
  if (isNew) list.push(object);
  put(object, below, value);
};

const emptyObject = (): JsonObject => Object.create(null);

const isObject = (value: Json | undefined): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const arrayAt = (target: JsonObject, name: string): Json[] => {
  const found = target[name] ?? [];
  if (!Array.isArray(found)) throw conflict(name);
  target[name] = found;
  return found;
};

const objectAt = (target: JsonObject, name: string): JsonObject => {
  const found = target[name] ?? emptyObject();
  if (!isObject(found)) throw conflict(name);
  target[name] = found;
  return found;
};

const conflict = (name: string) =>
  new UsageError(
    `the fields give '${/^[\w.-]{1,40}$/u.test(name) ? name : "***"}' conflicting types`,
    spec.path,
  );
