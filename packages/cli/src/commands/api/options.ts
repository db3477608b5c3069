import type { Command, FlagValues, GlobalValues } from "../../argv/command-spec.ts";
import { UsageError } from "../../argv/usage-error.ts";
import { isMethodAllowed } from "@agent-auth/model-provider/requests/destination";
import type { BodySource } from "./body.ts";
import { type Field, fieldsToJson, parseRawField, parseTypedField } from "./fields.ts";
import { spec } from "./spec.ts";

export interface ApiOptions {
  readonly path: string;
  /** Upper case. */
  readonly method: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: BodySource;
  /** Fields for the query string, if the method has no body. */
  readonly query: readonly Field[];
  /** Print the status line and headers first. */
  readonly include: boolean;
  /** A jq expression. */
  readonly jq?: string;
  readonly globals: GlobalValues;
}

/** The options of one `api` command line. */
export const readOptions: Command<typeof spec.flags, ApiOptions>["options"] = ({
  flags,
  args,
  globals,
}) => {
  const fields = parseFields(flags);
  const isInQuery = /^(?:GET|HEAD)$/iu.test(flags.method ?? "") && fields.length > 0;
  const body = bodySource(flags, isInQuery ? [] : fields);
  const headers = flags.header.map(parseHeader);
  return {
    path: args[0] ?? "",
    method: parseMethod(flags.method, body),
    headers: withContentType(headers, body),
    body,
    query: isInQuery ? fields : [],
    include: flags.include,
    ...(flags.jq !== undefined && { jq: flags.jq }),
    globals,
  };
};

type Flags = FlagValues<typeof spec.flags>;

const parseFields = (flags: Flags): readonly Field[] => {
  const fields = [...flags["raw-field"].map(parseRawField), ...flags.field.map(parseTypedField)];
  fieldsToJson(fields.map(({ path }) => [path, ""])); // throws if they contradict each other
  return fields;
};

const bodySource = (flags: Flags, fields: readonly Field[]): BodySource => {
  const { data, input } = flags;
  const given = [data !== undefined, input !== undefined, fields.length > 0];
  if (given.filter(Boolean).length > 1) {
    throw new UsageError("give the body with only one of --data, --input and fields", spec.path);
  }
  if (fields.length > 0) return { _tag: "Fields", fields };
  const file = input ?? (data?.startsWith("@") === true ? data.slice(1) : undefined);
  if (file !== undefined) return file === "-" ? { _tag: "Stdin" } : { _tag: "File", path: file };
  return data === undefined ? { _tag: "None" } : { _tag: "Text", text: data };
};

const parseMethod = (given: string | undefined, body: BodySource): string => {
  if (given === undefined) return body._tag === "None" ? "GET" : "POST";
  if (!/^[A-Za-z]+$/u.test(given))
    throw new UsageError("--method is not an HTTP method", spec.path);
  const method = given.toUpperCase();
  if (!isMethodAllowed(method)) {
    throw new UsageError(`${method} would reveal the credential`, spec.path);
  }
  return method;
};

const headerLine = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([\t\u0020-\u007e]*)$/u;

/** A header as curl takes it. The error does not repeat the value, which may be a secret. */
const parseHeader = (line: string): readonly [string, string] => {
  const [, name, value] = headerLine.exec(line) ?? [];
  if (name === undefined || value === undefined) {
    throw new UsageError("--header takes 'Name: value', in ASCII", spec.path);
  }
  return [name, value.trim()];
};

const withContentType = (headers: ApiOptions["headers"], body: BodySource) =>
  body._tag === "None" || headers.some(([name]) => name.toLowerCase() === "content-type")
    ? headers
    : [...headers, ["content-type", "application/json"] as const];
