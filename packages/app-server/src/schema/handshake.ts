import * as z from "zod/mini";

/** How a client describes itself. */
export const ClientInfo = z.object({
  name: z.string(),
  title: z.optional(z.nullable(z.string())),
  version: z.string(),
});

/** What a client asks for. Members that only concern threads and turns are accepted and have no effect here. */
export const InitializeCapabilities = z.object({
  requiredHumanApproval: z._default(z.boolean(), false),
  explicitGatewayOauth: z._default(z.boolean(), false),
  experimentalApi: z._default(z.boolean(), false),
  requestAttestation: z._default(z.boolean(), false),
  mcpServerOpenaiFormElicitation: z._default(z.boolean(), false),
  optOutNotificationMethods: z.optional(z.nullable(z.array(z.string()))),
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
