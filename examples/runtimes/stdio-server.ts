// Serves the account methods of CODEX_HOME on stdin and stdout.
import { handleAccountMethods } from "@agent-auth/app-server/methods";
import { openAccountService, serveStdioClient } from "@agent-auth/app-server/promises";

await using service = await openAccountService();
await serveStdioClient({ open: (client) => handleAccountMethods(service, client) });
