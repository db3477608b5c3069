import { execFile } from "node:child_process";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { generateJsonSchemas, generateTypeScriptFiles } from "../src/schema/index.ts";
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

const codex = (command: string, out: string) =>
  promisify(execFile)(codexBinary(), ["app-server", command, "--experimental", "--out", out], {
    env: { PATH: process.env["PATH"], HOME: out, TMPDIR: join(out, "tmp") },
  });

const schemas = generateJsonSchemas({ experimental: true });

describe.skipIf(missingCodex !== undefined)("the generated JSON Schemas", () => {
  it(
    "are those of codex app-server, but for the listed additions",
    { timeout: 60_000 },
    async () => {
      const out = await openHome();
      await codex("generate-json-schema", out);
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
  const files = generateTypeScriptFiles({ experimental: true });

  it("has one module for each type, in Codex's folders", () => {
    expect(files["v2/CancelLoginAccountResponse.ts"]).toBe(
      [
        "// GENERATED CODE! DO NOT MODIFY BY HAND!",
        "",
        'import type { CancelLoginAccountStatus } from "./CancelLoginAccountStatus";',
        "",
        "export type CancelLoginAccountResponse = {",
        "  status: CancelLoginAccountStatus;",
        "};",
        "",
      ].join("\n"),
    );
    expect(files["AuthMode.ts"]).toContain('export type AuthMode = "apikey" | "chatgpt" | ');
    expect(files["index.ts"]).toContain('export type { AuthMode } from "./AuthMode";');
    expect(files["v2/index.ts"]).toContain('export type { Account } from "./Account";');
    for (const name of Object.keys(schemas))
      expect(files[`v2/${name}.ts`] ?? files[`${name}.ts`]).toContain(`export type ${name} = `);
  });

  it("has the messages of each direction", () => {
    expect(files["ClientRequest.ts"]).toContain(
      '{ method: "account/read"; id: RequestId; params: GetAccountParams }',
    );
    expect(files["ServerNotification.ts"]).toContain(
      '{ method: "account/updated"; params: AccountUpdatedNotification }',
    );
    expect(files["ServerRequest.ts"]).toContain(
      '{ method: "account/chatgptAuthTokens/refresh"; id: RequestId; params: ChatgptAuthTokensRefreshParams }',
    );
  });

  it("leaves out the types and methods that are experimental unless asked", () => {
    const stable = generateTypeScriptFiles();
    expect(Object.keys(stable)).not.toContain("v2/AccountSessionsResponse.ts");
    expect(stable["ClientRequest.ts"]).not.toContain("accountSession/list");
    expect(files["ClientRequest.ts"]).toContain("accountSession/list");
  });
});

/**
 * Compares types of both programs: numbers of 64 bits are `bigint` in Codex's TypeScript, though JSON has numbers; and a
 * member that may be null counts as one that may be absent, as in its JSON Schema.
 */
const comparison = (names: ReadonlyArray<string>) =>
  [
    'import type * as ours from "./ours";',
    'import type * as theirs from "./theirs";',
    "type Nullable<T> = { [K in keyof T]-?: null extends T[K] ? K : undefined extends T[K] ? K : never }[keyof T];",
    "type Loose<T> = T extends bigint ? number : T extends Array<infer M> ? Array<Loose<M>> :",
    "  T extends object ? { [K in Exclude<keyof T, Nullable<T>>]: Loose<T[K]> } & { [K in Nullable<T>]?: Loose<T[K]> | null } : T;",
    "type Same<A, B> = [A] extends [B] ? ([B] extends [A] ? true : false) : false;",
    ...names.map((name) => {
      const omitted = notCompared[name] ?? "never";
      const [mine, codexs] = [typeOf("ours", name), typeOf("theirs", name)].map((type) =>
        omitted === "never" ? type : `Omit<${type}, ${omitted}>`,
      );
      return `export const ${name}: Same<Loose<${mine}>, Loose<${codexs}>> = true;`;
    }),
    "",
  ].join("\n");

/** An addition, and a member that the backend gives any form. */
const notCompared: Readonly<Record<string, string>> = {
  GetAccountResponse: '"accountUnavailable"',
  GetAccountRateLimitsResponse: '"rateLimitUpsell"',
};

const typeOf = (of: string, name: string): string =>
  `${of}.${`v2/${name}.ts` in generateTypeScriptFiles({ experimental: true }) ? "v2." : ""}${name}`;

describe.skipIf(missingCodex !== undefined)("the generated TypeScript types", () => {
  it(
    "are those of codex app-server, but for the listed additions",
    { timeout: 120_000 },
    async () => {
      const out = await openHome();
      await codex("generate-ts", join(out, "theirs"));
      const files = generateTypeScriptFiles({ experimental: true });
      await mkdir(join(out, "ours/v2"), { recursive: true });
      for (const [name, text] of Object.entries(files))
        await writeFile(join(out, "ours", name), text);
      const names = Object.keys(files)
        .map((name) => name.replace(/^v2\/|\.ts$/g, ""))
        .filter((name) => !isOwn.has(name));
      await writeFile(join(out, "same.ts"), comparison(names));
      const compiler = join(import.meta.dirname, "../../../node_modules/typescript/bin/tsc");
      const options =
        "--noEmit --strict --skipLibCheck --moduleResolution bundler --module esnext --target esnext --ignoreConfig";
      const compiled = await promisify(execFile)(process.execPath, [
        compiler,
        ...options.split(" "),
        join(out, "same.ts"),
      ]).catch((error: { readonly stdout: string }) => error);
      expect(compiled.stdout).toBe("");
      expect(names.length).toBeGreaterThan(60);
    },
  );
});

/**
 * Not compared: types that Codex does not have, its unions of messages, which have all methods, and the parameters of
 * `initialize`, in which Codex's TypeScript requires members that its JSON Schema and its server do not.
 */
const isOwn = new Set([
  "AccountUnavailable",
  "ClientNotification",
  "ClientRequest",
  "InitializeCapabilities",
  "InitializeParams",
  "Remedy",
  "ServerNotification",
  "ServerRequest",
  "index",
]);
