import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { generateJsonSchemas, generateTypeScript } from "../src/schema/index.ts";
import { codexBinary, missingCodex } from "./support/codex.ts";
import { openHome } from "./support/home.ts";

if (missingCodex !== undefined) console.warn(`skipped: ${missingCodex}`);

type Schema = Readonly<Record<string, unknown>>;

const isRecord = (value: unknown): value is Schema =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Notes for people, bounds of number types, and what a schema says although it follows from the rest. */
const ignored = new Set([
  "$schema",
  "default",
  "definitions",
  "description",
  "format",
  "maximum",
  "minimum",
  "propertyNames",
  "title",
]);

/** One spelling for what JSON Schema can say in several ways. A member that may be null counts as one that may be absent. */
const canonical = (schema: unknown, definitions: Schema): unknown => {
  if (!isRecord(schema)) return schema === true ? {} : schema;
  const { $ref, allOf } = schema;
  if (typeof $ref === "string")
    return canonical(definitions[$ref.split("/").at(-1) ?? ""], definitions);
  if (Array.isArray(allOf) && allOf.length === 1) return canonical(allOf[0], definitions);
  const alternatives = schema["anyOf"] ?? schema["oneOf"];
  if (Array.isArray(alternatives))
    return union(alternatives.map((member) => canonical(member, definitions)));
  if (Array.isArray(schema["type"]))
    return union(schema["type"].map((type) => canonical({ ...schema, type }, definitions)));
  if (schema["const"] !== undefined)
    return canonical({ ...schema, const: undefined, enum: [schema["const"]] }, definitions);
  const kept = Object.entries(schema).filter(
    ([key, value]) => value !== undefined && !ignored.has(key),
  );
  const type = schema["type"];
  const only = new Set(
    type === "object"
      ? ["type", "properties", "required", "additionalProperties"]
      : type === "array"
        ? ["type", "items"]
        : ["type", "enum"],
  );
  const result: Record<string, unknown> = Object.fromEntries(
    kept
      .filter(([key]) => only.has(key))
      .map(([key, value]) => [key, canonicalMember(key, value, definitions)]),
  );
  if (isRecord(result["properties"])) {
    const properties = result["properties"];
    const names = Array.isArray(result["required"]) ? result["required"].map(String) : [];
    result["required"] = names.filter((name) => !isNullable(properties[name])).toSorted();
  }
  if (isRecord(result["properties"]) && Object.keys(result["properties"]).length === 0)
    delete result["properties"];
  if (Array.isArray(result["required"]) && result["required"].length === 0)
    delete result["required"];
  const rest = result["additionalProperties"];
  if (rest === true || (isRecord(rest) && Object.keys(rest).length === 0))
    delete result["additionalProperties"];
  return result;
};

const canonicalMember = (key: string, value: unknown, definitions: Schema): unknown => {
  if (key === "properties" && isRecord(value))
    return Object.fromEntries(
      Object.entries(value).map(([name, member]) => [name, canonical(member, definitions)]),
    );
  if (key === "items" || key === "additionalProperties") return canonical(value, definitions);
  if (key === "enum" && Array.isArray(value)) return value.map(String).toSorted();
  return value;
};

const union = (members: ReadonlyArray<unknown>): unknown => {
  const flat = members.flatMap((member) =>
    isRecord(member) && Array.isArray(member["anyOf"]) ? member["anyOf"] : [member],
  );
  const enums = flat.filter((member) => isRecord(member) && Array.isArray(member["enum"]));
  const others = flat.filter((member) => !enums.includes(member));
  const values = enums.flatMap((member) =>
    isRecord(member) && Array.isArray(member["enum"]) ? member["enum"].map(String) : [],
  );
  const all = [
    ...others,
    ...(values.length > 0 ? [{ type: "string", enum: values.toSorted() }] : []),
  ].toSorted((a, b) => (sorted(a) < sorted(b) ? -1 : 1));
  return all.length === 1 ? all[0] : { anyOf: all };
};

/** JSON with the keys in order. */
const sorted = (value: unknown): string =>
  JSON.stringify(value, (_, member: unknown) =>
    isRecord(member)
      ? Object.fromEntries(Object.entries(member).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : member,
  );

const isNullable = (schema: unknown): boolean =>
  isRecord(schema) &&
  (Object.keys(schema).length === 0 ||
    (Array.isArray(schema["anyOf"]) &&
      schema["anyOf"].some((member) => isRecord(member) && member["type"] === "null")));

/** Members that Codex does not have, by type. */
const additions: Readonly<Record<string, ReadonlyArray<string>>> = {
  GetAccountResponse: ["accountUnavailable"],
};

/**
 * Types that are not compared: those of old methods have no JSON Schema, and the two that Codex prints of a
 * workspace switch disagree (`loginId` in TypeScript, `login_id` in JSON Schema).
 */
const typeScriptOnly = new Set([
  "AccountSessionsSwitchResponse",
  "GetAuthStatusParams",
  "GetAuthStatusResponse",
]);

const schemas = generateJsonSchemas({ experimental: true });

describe.skipIf(missingCodex !== undefined)("the generated JSON Schemas", () => {
  it(
    "are those of codex app-server, but for the listed additions",
    { timeout: 60_000 },
    async () => {
      const out = await openHome();
      await promisify(execFile)(
        codexBinary(),
        ["app-server", "generate-json-schema", "--experimental", "--out", out],
        { env: { PATH: process.env["PATH"], HOME: out, TMPDIR: join(out, "tmp") } },
      );
      const bundle: unknown = JSON.parse(
        await readFile(join(out, "codex_app_server_protocol.schemas.json"), "utf8"),
      );
      const all = isRecord(bundle) && isRecord(bundle["definitions"]) ? bundle["definitions"] : {};
      const v2 = isRecord(all["v2"]) ? all["v2"] : {};
      const definitions = { ...all, ...v2 };
      const found: Array<readonly [string, unknown]> = [];
      const expected: Array<readonly [string, unknown]> = [];
      for (const [name, ours] of Object.entries(schemas)) {
        if (typeScriptOnly.has(name)) continue;
        const mine = canonical(ours, {});
        if (isRecord(mine) && isRecord(mine["properties"]))
          for (const added of additions[name] ?? [])
            Reflect.deleteProperty(mine["properties"], added);
        const theirs = canonical(definitions[name], definitions);
        found.push([name, mine]);
        expected.push([name, theirs]);
      }
      expect(Object.fromEntries(found)).toEqual(Object.fromEntries(expected));
    },
  );
});

describe("the generated TypeScript", () => {
  it("declares every type", () => {
    const text = generateTypeScript({ experimental: true });
    for (const name of Object.keys(schemas)) expect(text).toContain(`export type ${name} = `);
    expect(text).toContain("export type CancelLoginAccountParams = {\n  loginId: string;\n};");
    expect(text).toContain('"canceled" | "notFound"');
  });

  it("leaves out the types of experimental methods unless asked", () => {
    expect(generateTypeScript()).not.toContain("AccountSessionsResponse");
  });
});
