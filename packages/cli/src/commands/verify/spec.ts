import { defineSpec } from "../../argv/command-spec.ts";

export const spec = defineSpec({
  path: ["verify"],
  summary: "verify an agent identity JWT from stdin",
  description: [
    "Checks signature (RS256, a trusted key), issuer, audience, lifetime and claims, exactly as a sign-in does, and tells who the token speaks for. Nothing is stored.",
    "The keys are those of the configured backend, unless --jwks names a file or a URL.",
  ],
  args: [],
  flags: {
    jwks: { type: "string", value: "FILE|URL", summary: "take the trusted keys from here" },
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
    json: { type: "boolean", summary: "answer in JSON (docs/json-output.md)" },
  },
  exitCodes: { 0: "the token is good", 1: "it is not, or there were no keys to judge it by" },
  examples: [
    { line: "agent-auth verify < agent.jwt", does: "Is this token good, and whose is it?" },
    {
      line: "agent-auth verify --jwks jwks.json --json < agent.jwt | jq .error.code",
      does: "Against a set of keys on disk; why not, for a script",
    },
  ],
});
