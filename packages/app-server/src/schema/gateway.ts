import * as z from "zod/mini";

export const GatewayOAuthStatus = z.enum(["notReady", "started", "succeeded", "failed"]);

export const GatewayOAuthReadParams = z.object({
  modelProvider: z.optional(z.nullable(z.string())),
});

export const GatewayOAuthReadResponse = z.object({
  providerId: z.string(),
  providerName: z.string(),
  required: z.boolean(),
  supportsDeviceAuth: z.optional(z.boolean()),
  status: z.nullable(GatewayOAuthStatus),
  error: z.nullable(z.string()),
});

export const GatewayOAuthLoginParams = z.object({
  modelProvider: z.optional(z.nullable(z.string())),
  deviceAuth: z.optional(z.boolean()),
});

export const GatewayOAuthPrompt = z.object({
  loginId: z.string(),
  verificationUrl: z.string(),
  userCode: z.string(),
});

export const GatewayOAuthLoginResponse = z.object({ prompt: z.nullable(GatewayOAuthPrompt) });

export const GatewayOAuthCancelResponse = z.object({});

export const GatewayOAuthChangedNotification = z.object({
  loginId: z.nullable(z.string()),
  authUrl: z.nullable(z.string()),
  providerId: z.string(),
  status: GatewayOAuthStatus,
  error: z.nullable(z.string()),
});
