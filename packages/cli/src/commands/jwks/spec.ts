import { defineSpec } from "../../argv/command-spec.ts";

export const spec = defineSpec({
  path: ["jwks"],
  summary: "fetch, show and check a set of verification keys",
  description: [
    "Fetches the JWKS of the configured backend (or reads the file or URL that is named), and says of each key whether it may verify agent identity JWTs, and if not, why: another use or algorithm, too few bits, no id.",
  ],
  args: [{ name: "from", required: false, summary: "a file or URL", completes: "file" }],
  flags: {
    kid: { type: "string", value: "KID", summary: "fail unless this key is there and usable" },
    json: { type: "boolean", summary: "answer in JSON (docs/json-output.md)" },
  },
  exitCodes: { 1: "no set was found, no key of it is usable, or the key asked for is not" },
  examples: [
    { line: "agent-auth jwks", does: "Can tokens of my backend be verified from here?" },
    {
      line: "agent-auth jwks jwks.json --kid key-1",
      does: "Is this key in that file, and usable?",
    },
  ],
});
