import { defineSpec } from "../../argv/command-spec.ts";

export const spec = defineSpec({
  path: ["decode"],
  summary: "show what a JWT from stdin claims, unverified",
  description: [
    "Reads the token's shape and claims, and checks neither signature nor issuer nor time: anyone can write such a token. To know whether it is genuine, use agent-auth verify. The private key in it is never shown.",
  ],
  args: [],
  flags: { json: { type: "boolean", summary: "answer in JSON (docs/json-output.md)" } },
  exitCodes: { 0: "it has the shape of an agent identity JWT", 1: "it has not" },
  examples: [{ line: "agent-auth decode < agent.jwt", does: "What does this token say?" }],
});
