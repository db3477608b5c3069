import * as z from "zod/mini";

/** What a client says of itself. */
export const ClientInfo = z.object({
  name: z.string(),
  title: z.optional(z.nullable(z.string())),
  version: z.string(),
});

/** A list of texts of which only the first wrong one is reported: an issue for each would take seconds. */
const Names = z.custom<ReadonlyArray<string>>().check(({ issues, value }) => {
  if (!Array.isArray(value))
    return void issues.push({ code: "invalid_type", expected: "array", input: value });
  const at = value.findIndex((name) => typeof name !== "string");
  if (at !== -1)
    issues.push({ code: "invalid_type", expected: "string", input: value[at], path: [at] });
});

/** What a client asks for. Members that only concern threads and turns are accepted and have no effect here. */
export const InitializeCapabilities = z.object({
  requiredHumanApproval: z._default(z.boolean(), false),
  explicitGatewayOauth: z._default(z.boolean(), false),
  experimentalApi: z._default(z.boolean(), false),
  requestAttestation: z._default(z.boolean(), false),
  mcpServerOpenaiFormElicitation: z._default(z.boolean(), false),
  optOutNotificationMethods: z.optional(z.nullable(Names)),
  extensions: z.optional(z.nullable(z.record(z.string(), z.unknown()))),
});

export const InitializeParams = z.object({
  clientInfo: ClientInfo,
  capabilities: z.optional(z.nullable(InitializeCapabilities)),
});

export const InitializeResponse = z.object({
  userAgent: z.string(),
  codexHome: z.string(),
  platformFamily: z.string(),
  platformOs: z.string(),
});
