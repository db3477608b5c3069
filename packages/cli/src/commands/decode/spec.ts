import { defineSpec } from "../../argv/command-spec.ts";

export const spec = defineSpec({
  path: ["decode"],
  summary: "show what a JWT from stdin claims, unverified",
  description: [
    "Reads the token's header and claims without checking signature, issuer or lifetime: anyone can write such a token. To check it, use agent-auth verify. The private key in it is never shown.",
  ],
  args: [],
  flags: { json: { type: "boolean", summary: "print JSON (docs/json-output.md)" } },
  exitCodes: { 0: "the format is that of an agent identity JWT", 1: "it is not" },
  examples: [{ line: "agent-auth decode < agent.jwt", does: "Show the claims of a token" }],
});
