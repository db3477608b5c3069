import { defineSpec } from "../../argv/command-spec.ts";

export const spec = defineSpec({
  path: ["login", "status"],
  summary: "show which credential the next request will use",
  description: [
    "Finds the credential as the next request would, the environment included, and verifies an agent identity. Changes nothing: no token is refreshed, and a credential that a restriction forbids is not removed. Prints to stderr; --json prints to stdout.",
  ],
  args: [],
  flags: { json: { type: "boolean", summary: "print JSON (docs/json-output.md)" } },
  exitCodes: { 1: "not logged in, or the credential cannot be used" },
  examples: [
    { line: "agent-auth login status", does: "Show who is signed in" },
    {
      line: "agent-auth login status --json | jq -r .account.email",
      does: "Print the account's e-mail address, for a script",
    },
  ],
});
