import { defineSpec } from "../../argv/command-spec.ts";

export const spec = defineSpec({
  path: ["logout"],
  summary: "remove the stored credential",
  description: [
    "Removes the credential from the file and the keyring, and then revokes the tokens of a ChatGPT sign-in, if the authority can be reached. API keys, personal access tokens and agent identities are removed from this machine only: they stay valid until their issuer revokes them.",
    "While CODEX_API_KEY, CODEX_AGENT_IDENTITY or CODEX_ACCESS_TOKEN is set, or a workload identity is configured, every request uses that credential. Logout then fails and changes nothing.",
  ],
  args: [],
  flags: {
    provider: {
      type: "string",
      value: "ID",
      summary: "sign out of the gateway of this model provider only",
    },
  },
  examples: [{ line: "agent-auth logout", does: "Sign out" }],
});
