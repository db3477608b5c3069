import { defineSpec } from "../../argv/command-spec.ts";

export const spec = defineSpec({
  path: ["verify"],
  summary: "verify an agent identity JWT from stdin",
  description: [
    "Checks the signature (RS256, with a trusted key), issuer, audience, lifetime and claims, exactly as a sign-in does, and prints the identity in the token. Nothing is stored.",
    "The keys are those of the configured backend, unless --jwks names a file or a URL.",
  ],
  args: [],
  flags: {
    jwks: {
      type: "string",
      value: "FILE|URL",
      summary: "read the trusted keys from a file or URL",
    },
    issuer: {
      type: "string",
      value: "ISSUER",
      summary: "the `iss` to expect instead of ChatGPT's",
    },
    audience: {
      type: "string",
      value: "AUDIENCE",
      summary: "the `aud` to expect instead of codex-app-server",
    },
    json: { type: "boolean", summary: "print JSON (docs/json-output.md)" },
  },
  exitCodes: { 0: "the token is valid", 1: "the token is not valid, or could not be checked" },
  examples: [
    { line: "agent-auth verify < agent.jwt", does: "Verify a token and show its identity" },
    {
      line: "agent-auth verify --jwks jwks.json --json < agent.jwt | jq .error.code",
      does: "Use a key set on disk, and print why the token is rejected",
    },
  ],
});
