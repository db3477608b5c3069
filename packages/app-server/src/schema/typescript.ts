import { isJsonObject } from "@agent-auth/agent-identity/encoding";
import * as z from "zod/mini";
import { methods } from "../methods/table.ts";
import * as account from "./account.ts";
import * as gateway from "./gateway.ts";
import { InitializeParams } from "./handshake.ts";
import * as remoteControl from "./remote-control.ts";

/** TypeScript modules by path, such as `v2/GetAccountParams.ts`. */
export type TypeScriptFiles = Readonly<Record<string, string>>;

type Named = Readonly<Record<string, z.ZodMiniType>>;
type Schema = Readonly<Record<string, unknown>>;

/** Returns one module for each type. A type that uses another named type imports it. */
export const typeScriptFiles = (rootTypes: Named, v2Types: Named): TypeScriptFiles => {
  const types = { ...rootTypes, ...v2Types };
  const [ofInput, ofOutput] = [schemasOf(types, "input"), schemasOf(types, "output")];
  const write = (name: string, folder: "" | "v2/", type: string): readonly [string, string] => [
    `${folder}${name}.ts`,
    moduleOf(name, type, (used) => pathTo(used, folder, rootTypes)),
  ];
  const files = Object.keys(types).map((name) => {
    const schemas = isSentByClient.test(name) ? ofInput : ofOutput;
    return write(name, name in rootTypes ? "" : "v2/", typeScriptOf(schemas[name]));
  });
  const unions = Object.entries(messageTypes(types)).map(([name, type]) => write(name, "", type));
  const all = [...files, ...unions];
  return Object.fromEntries([
    ...all,
    ["v2/index.ts", indexOf(all.flatMap(([path]) => path.split("v2/")[1] ?? []))],
    [
      "index.ts",
      `${indexOf(all.flatMap(([path]) => (path.startsWith("v2/") ? [] : [path])))}export * as v2 from "./v2";\n`,
    ],
  ]);
};

const isSentByClient = /(?:Params|Capabilities|ClientInfo)$/;

/** The JSON Schemas of all types, with `$ref` to those that have a name. */
const schemasOf = (types: Named, io: "input" | "output"): Readonly<Record<string, unknown>> => {
  const registry = z.registry<{ id: string }>();
  for (const [id, schema] of Object.entries(types)) registry.add(schema, { id });
  return z.toJSONSchema(registry, { io, target: "draft-7", uri: (id) => id }).schemas;
};

const header = "// GENERATED CODE! DO NOT MODIFY BY HAND!\n\n";

const moduleOf = (name: string, type: string, pathOf: (used: string) => string): string => {
  // The names of types begin with a capital letter; no text of the schemas does.
  const used = [...new Set(type.match(/\b[A-Z]\w+\b/g) ?? [])].filter(
    (word) => !builtIn.has(word) && !type.includes(`"${word}"`),
  );
  const imports = used
    .toSorted()
    .map((word) => `import type { ${word} } from "${pathOf(word)}";\n`)
    .join("");
  return `${header}${imports}${imports === "" ? "" : "\n"}export type ${name} = ${type};\n`;
};

const builtIn: ReadonlySet<string> = new Set(["Array", "Record"]);

const pathTo = (used: string, from: "" | "v2/", rootTypes: Named): string => {
  const isRoot = used === "RequestId" || used in rootTypes;
  if (from === "") return isRoot ? `./${used}` : `./v2/${used}`;
  return isRoot ? `../${used}` : `./${used}`;
};

const indexOf = (files: ReadonlyArray<string>): string => {
  const names = files.map((file) => file.replace(/\.ts$/, "")).toSorted();
  const lines = names.map((name) => `export type { ${name} } from "./${name}";\n`);
  return `${header}${lines.join("")}`;
};

const request = (method: string, params: string): string =>
  `{ method: ${JSON.stringify(method)}; id: RequestId; ${params} }`;

/** The messages of each direction. */
const messageTypes = (types: Named): Readonly<Record<string, string>> => {
  const names = new Map(Object.entries(types).map(([name, schema]) => [schema, name]));
  const ofMethods = Object.entries(methods).flatMap(([method, { kind, params, result }]) => {
    const name = names.get(params);
    // The result of an experimental method has no name unless experimental types are included.
    if (kind === "none") return names.has(result) ? [request(method, "params: undefined")] : [];
    if (name === undefined) return [];
    return [request(method, kind === "optional" ? `params?: ${name} | null` : `params: ${name}`)];
  });
  const notifications = {
    "account/updated": account.AccountUpdatedNotification,
    "account/gatewayOAuth/changed": gateway.GatewayOAuthChangedNotification,
    "account/login/completed": account.AccountLoginCompletedNotification,
    "remoteControl/status/changed": remoteControl.RemoteControlStatusChangedNotification,
  };
  return {
    RequestId: "string | number",
    ClientNotification: '{ method: "initialized" }',
    ClientRequest: [
      request("initialize", `params: ${names.get(InitializeParams) ?? "unknown"}`),
      ...ofMethods,
    ].join(" | "),
    ServerNotification: Object.entries(notifications)
      .map(
        ([method, schema]) => `{ method: "${method}"; params: ${names.get(schema) ?? "unknown"} }`,
      )
      .join(" | "),
    ServerRequest: request(
      "account/chatgptAuthTokens/refresh",
      `params: ${names.get(account.ChatgptAuthTokensRefreshParams) ?? "unknown"}`,
    ),
  };
};

/** Returns the TypeScript type of the values that a JSON Schema accepts. Supports what zod generates for this package. */
const typeScriptOf = (schema: unknown, indent = ""): string => {
  if (!isJsonObject(schema)) return "unknown";
  const { $ref, allOf, anyOf, const: constant, oneOf, type } = schema;
  if (typeof $ref === "string") return $ref;
  if (Array.isArray(allOf) && allOf.length === 1) return typeScriptOf(allOf[0], indent);
  const choices = schema["enum"];
  if (constant !== undefined) return JSON.stringify(constant);
  if (Array.isArray(choices)) return choices.map((value) => JSON.stringify(value)).join(" | ");
  const alternatives = anyOf ?? oneOf;
  if (Array.isArray(alternatives))
    return alternatives.map((member) => typeScriptOf(member, indent)).join(" | ");
  if (Array.isArray(type))
    return type.map((name) => typeScriptOf({ ...schema, type: name }, indent)).join(" | ");
  switch (type) {
    case "string":
    case "boolean":
    case "null":
      return type;
    case "integer":
    case "number":
      return "number";
    case "array":
      return `Array<${typeScriptOf(schema["items"], indent)}>`;
    case "object":
      return objectType(schema, indent);
    default:
      return "unknown";
  }
};

const objectType = (schema: Schema, indent: string): string => {
  const { additionalProperties, properties, required } = schema;
  const members = isJsonObject(properties) ? Object.entries(properties) : [];
  if (members.length === 0)
    return isJsonObject(additionalProperties)
      ? `{ [key in string]?: ${typeScriptOf(additionalProperties, indent)} }`
      : "Record<string, never>";
  const inner = `${indent}  `;
  const lines = members.map(([name, member]) => {
    const isRequired = Array.isArray(required) && required.includes(name);
    return `${inner}${name}${isRequired ? "" : "?"}: ${typeScriptOf(member, inner)};`;
  });
  return ["{", ...lines, `${indent}}`].join("\n");
};
