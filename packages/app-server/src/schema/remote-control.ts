import * as z from "zod/mini";

export const RemoteControlConnectionStatus = z.enum([
  "disabled",
  "connecting",
  "connected",
  "errored",
]);

export const RemoteControlStatusChangedNotification = z.object({
  status: RemoteControlConnectionStatus,
  serverName: z.string(),
  installationId: z.string(),
  environmentId: z.nullable(z.string()),
});
