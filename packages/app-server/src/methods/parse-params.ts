import { isJsonObject } from "@agent-auth/agent-identity/encoding";
import * as z from "zod/mini";

// zod checks the parameters. Errors have the texts of serde, the Rust library that checks them in Codex's app server.

type Issue = z.core.$ZodIssue;

/** Whether a method requires an object with parameters, accepts one, or takes no parameters. */
export type ParamsKind = "required" | "optional" | "none";

export type Parsed<A> = { readonly value: A } | { readonly problem: string };

/** Checks the parameters of a request. `undefined` and `null` count as absent. */
export const parseParams = <A>(
  kind: ParamsKind,
  schema: z.ZodMiniType<A>,
  params: unknown,
): Parsed<A> => {
  if (kind === "none") return parseUnit(schema, params);
  if (params === undefined || params === null) {
    if (kind === "required") return { problem: "missing field `params`" };
    return parseObject(schema, {});
  }
  return parseObject(schema, params);
};

const parseUnit = <A>(schema: z.ZodMiniType<A>, params: unknown): Parsed<A> => {
  const isEmpty = params === undefined || params === null || isJsonObject(params);
  return isEmpty
    ? parseObject(schema, {})
    : { problem: `invalid type: ${describe(params)}, expected unit` };
};

const parseObject = <A>(schema: z.ZodMiniType<A>, params: unknown): Parsed<A> => {
  // serde accepts an empty array in place of an object without members.
  const value = Array.isArray(params) && params.length === 0 ? {} : params;
  const parsed = schema.safeParse(value);
  if (parsed.success) return { value: parsed.data };
  return { problem: problemOf(firstIssue(parsed.error.issues, value), value) };
};

/**
 * Returns the issue that serde would report. serde reads members in the order of the input, and then looks for missing
 * ones. The work must be linear, because the client controls the number of members and issues.
 */
const firstIssue = (issues: ReadonlyArray<Issue>, input: unknown): Issue => {
  const firstOf = new Map<string, Issue>();
  for (const issue of issues) {
    const member = String(issue.path[0]);
    if (!firstOf.has(member)) firstOf.set(member, issue);
  }
  const members = isJsonObject(input) ? Object.keys(input) : [];
  const member = members.find((name) => firstOf.has(name));
  return (member === undefined ? undefined : firstOf.get(member)) ?? issues[0]!;
};

const problemOf = (issue: Issue, input: unknown): string => {
  const found = issue.path.reduce<unknown>(
    (value, key) =>
      isJsonObject(value) || Array.isArray(value) ? Reflect.get(value, key) : undefined,
    input,
  );
  const name = String(issue.path.at(-1));
  if (found === undefined && issue.path.length > 0) return `missing field \`${name}\``;
  switch (issue.code) {
    case "invalid_union": {
      const discriminator = issue.discriminator;
      if (discriminator === undefined) return `invalid type: ${describe(found)}, expected object`;
      return typeof found === "string"
        ? unknownVariant(found, variantsOf(issue))
        : `invalid type: ${describe(found)}, expected variant identifier`;
    }
    case "invalid_value":
      return typeof found === "string"
        ? unknownVariant(found, issue.values.map(String))
        : `invalid type: ${describe(found)}, expected string`;
    case "invalid_type":
      return `invalid type: ${describe(found)}, expected ${expectations[issue.expected] ?? issue.expected}`;
    default:
      return issue.message;
  }
};

const expectations: Readonly<Record<string, string>> = {
  boolean: "a boolean",
  string: "a string",
  array: "a sequence",
  object: "struct",
  record: "a map",
  int: "i64",
  number: "i64",
};

const variantsOf = (issue: Issue): ReadonlyArray<string> =>
  "options" in issue && Array.isArray(issue.options) ? issue.options.map(String) : [];

/** serde's text for a value that is not a variant of an enumeration. */
export const unknownVariant = (found: string, variants: ReadonlyArray<string>): string => {
  const quoted = variants.map((variant) => `\`${variant}\``);
  const expected = quoted.length === 2 ? quoted.join(" or ") : `one of ${quoted.join(", ")}`;
  return `unknown variant \`${found}\`, expected ${quoted.length === 1 ? quoted[0] : expected}`;
};

/** Returns the text with which serde describes a value in errors. */
const describe = (value: unknown): string => {
  switch (typeof value) {
    case "string":
      return `string ${JSON.stringify(value)}`;
    case "number":
      return Number.isInteger(value) ? `integer \`${value}\`` : `floating point \`${value}\``;
    case "boolean":
      return `boolean \`${value}\``;
    default:
      return value === null ? "null" : Array.isArray(value) ? "sequence" : "map";
  }
};
