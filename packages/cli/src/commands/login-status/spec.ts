import { defineSpec } from "../../argv/command-spec.ts";

export const spec = defineSpec({
  path: ["login", "status"],
  summary: "say who the next request will speak for",
  description: [
    "Loads the credential exactly as the next request would, the environment included: an agent identity is verified again, an expired access token is renewed, restrictions apply. Everything is said on stderr; --json answers on stdout.",
  ],
  args: [],
  flags: { json: { type: "boolean", summary: "answer in JSON (docs/json-output.md)" } },
  exitCodes: { 1: "not logged in, or the credential cannot be used" },
  examples: [
    { line: "agent-auth login status", does: "Who am I?" },
    {
      line: "agent-auth login status --json | jq -r .account.email",
      does: "The account's e-mail address, for a script",
    },
  ],
});
