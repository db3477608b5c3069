import * as z from "zod/mini";
import { experimentalTypes, rootTypes, v2Types } from "./named-types.ts";
import { type TypeScriptFiles, typeScriptFiles } from "./typescript.ts";

export type { TypeScriptFiles } from "./typescript.ts";

/** A JSON Schema (draft 7). */
export type JsonSchema = Readonly<Record<string, unknown>>;

export interface GenerateOptions {
  /** Whether the types of experimental methods are included. Default false. */
  readonly experimental?: boolean;
}

/**
 * Returns the JSON Schemas of the account methods by type name, generated from the schemas that check requests.
 *
 * @example
 * ```ts
 * import { generateJsonSchemas } from "@agent-auth/app-server/schema";
 *
 * const { GetAccountParams } = generateJsonSchemas();
 * console.log(GetAccountParams?.["type"]); // object
 * ```
 */
export const generateJsonSchemas = (
  options: GenerateOptions = {},
): Readonly<Record<string, JsonSchema>> =>
  Object.fromEntries(
    Object.entries({ ...rootTypes, ...v2Types })
      .filter(([name]) => isMessagePart.test(name) && isIncluded(name, options))
      .map(([name, schema]) => {
        const { $schema, ...rest } = z.toJSONSchema(schema, { io: "input", target: "draft-7" });
        return [name, { $schema, title: name, ...rest }];
      }),
  );

/** Types of parameters, results and notifications. The others are parts of them. */
const isMessagePart = /(?:Params|Response|Notification)$/;

const isIncluded = (name: string, { experimental = false }: GenerateOptions): boolean =>
  experimental || !experimentalTypes.has(name);

/**
 * The folder in which Codex writes a type's schema: `v1` for the handshake, none for requests that the server sends.
 */
const folderOf = (name: string): string => {
  if (name.startsWith("ChatgptAuthTokensRefresh")) return "";
  return name in rootTypes ? "v1/" : "v2/";
};

/**
 * Returns the same schemas as files, by path, in the layout of `codex app-server generate-json-schema`: one file for
 * each type, and two files that contain all of them.
 *
 * @example
 * ```ts
 * import { generateJsonSchemaFiles } from "@agent-auth/app-server/schema";
 *
 * Object.keys(generateJsonSchemaFiles()).includes("v2/GetAccountResponse.json"); // true
 * ```
 */
export const generateJsonSchemaFiles = (
  options: GenerateOptions = {},
): Readonly<Record<string, JsonSchema>> => {
  const all = Object.entries(generateJsonSchemas(options));
  const inFolder = (folder: "" | "v2/") =>
    Object.fromEntries(all.filter(([name]) => (folderOf(name) === "v2/") === (folder === "v2/")));
  return {
    ...Object.fromEntries(all.map(([name, schema]) => [`${folderOf(name)}${name}.json`, schema])),
    "codex_app_server_protocol.schemas.json": bundle("CodexAppServerProtocol", {
      ...inFolder(""),
      v2: inFolder("v2/"),
    }),
    "codex_app_server_protocol.v2.schemas.json": bundle(
      "CodexAppServerProtocolV2",
      Object.fromEntries(all),
    ),
  };
};

/**
 * Returns the types as TypeScript files, by path, in the layout of `codex app-server generate-ts`: one file for each type,
 * and `ClientRequest`, `ServerNotification` and `ServerRequest` with all messages.
 *
 * @example
 * ```ts
 * import { generateTypeScriptFiles } from "@agent-auth/app-server/schema";
 *
 * console.log(generateTypeScriptFiles()["v2/CancelLoginAccountParams.ts"]);
 * ```
 */
export const generateTypeScriptFiles = (options: GenerateOptions = {}): TypeScriptFiles => {
  const included = (types: typeof v2Types) =>
    Object.fromEntries(Object.entries(types).filter(([name]) => isIncluded(name, options)));
  return typeScriptFiles(included(rootTypes), included(v2Types));
};

const bundle = (title: string, definitions: object): JsonSchema => ({
  $schema: "http://json-schema.org/draft-07/schema#",
  definitions,
  title,
  type: "object",
});
