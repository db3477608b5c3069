import { defineSpec } from "../../argv/command-spec.ts";

export const spec = defineSpec({
  path: ["login"],
  summary: "sign in and store the credential",
  description: [
    "Without a flag, opens the browser to sign in with ChatGPT. The --with-… flags read a secret from stdin, so that it never appears in a process list or a shell history.",
    "The credential is kept in $CODEX_HOME/auth.json (default ~/.codex), mode 0600, or in the OS keyring if config.toml sets cli_auth_credentials_store. An agent identity is verified against the JWKS of chatgpt_base_url before anything is saved. Its keys are cached in $CODEX_HOME/agent-auth, so that most commands do not fetch them. An earlier sign-in is kept until the new one is stored.",
    "To see who is signed in: agent-auth login status. To sign out: agent-auth logout.",
    "While CODEX_API_KEY, CODEX_AGENT_IDENTITY or CODEX_ACCESS_TOKEN is set, or a workload identity is configured, every request uses that credential. Login then fails and changes nothing.",
  ],
  args: [],
  flags: {
    "with-api-key": { type: "boolean", summary: "read an API key from stdin" },
    "with-agent-identity": { type: "boolean", summary: "read an agent identity JWT from stdin" },
    "with-access-token": {
      type: "boolean",
      summary: "read a personal access token or an agent identity JWT from stdin",
    },
    "device-auth": {
      type: "boolean",
      summary: "sign in with a code, from a browser on any other device",
    },
    provider: {
      type: "string",
      value: "ID",
      summary: "sign in to the gateway of this model provider (gateway_oauth)",
    },
    issuer: {
      type: "string",
      value: "URL",
      summary: "sign in at this authority instead of https://auth.openai.com",
      hidden: true,
    },
    "client-id": {
      type: "string",
      value: "ID",
      summary: "the OAuth client id to sign in with",
      hidden: true,
    },
  },
  examples: [
    { line: "agent-auth login", does: "Sign in with ChatGPT in the browser" },
    {
      line: "agent-auth login --with-agent-identity < agent.jwt",
      does: "Sign in as an agent, for example in CI",
    },
    {
      line: "printenv OPENAI_API_KEY | agent-auth login --with-api-key",
      does: "Store an API key",
    },
  ],
});
