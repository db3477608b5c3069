import { isJsonObject } from "@agent-auth/agent-identity/encoding";
/** Returns the TypeScript type of the values that a JSON Schema accepts. Supports what zod generates for this package. */
export const typeScriptOf = (schema: unknown, indent = ""): string => {
  if (!isJsonObject(schema)) return "unknown";
  const { anyOf, const: constant, oneOf, type } = schema;
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

const objectType = (schema: Readonly<Record<string, unknown>>, indent: string): string => {
  const { additionalProperties, properties, required } = schema;
  const members = isJsonObject(properties) ? Object.entries(properties) : [];
  if (members.length === 0)
    return additionalProperties === undefined
      ? "Record<string, never>"
      : `Record<string, ${typeScriptOf(additionalProperties, indent)}>`;
  const inner = `${indent}  `;
  const lines = members.map(([name, member]) => {
    const isRequired = Array.isArray(required) && required.includes(name);
    return `${inner}${name}${isRequired ? "" : "?"}: ${typeScriptOf(member, inner)};`;
  });
  return ["{", ...lines, `${indent}}`].join("\n");
};
