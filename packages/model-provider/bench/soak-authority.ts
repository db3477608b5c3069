// The authority of the soak, in its own process: it keeps a log of all requests, which would count as ours.
import { startTestAuthority } from "@agent-auth/test-authority";
import { startCompressedClock } from "./soak-clock.ts";

startCompressedClock();
const authority = await startTestAuthority();
process.on("message", (message: { readonly mint: number }) => {
  void authority
    .mintAgentIdentityJwt({
      claims: { account_id: `workspace-${message.mint}` },
      expiresInSeconds: 7 * 86_400, // on a slow machine the compressed clock runs for days
    })
    .then((jwt) => process.send?.({ id: message.mint, jwt }));
});
process.on("disconnect", () => process.exit());
process.send?.({ chatgptBaseUrl: authority.chatgptBaseUrl });
