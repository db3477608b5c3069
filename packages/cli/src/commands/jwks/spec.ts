import { defineSpec } from "../../argv/command-spec.ts";

export const spec = defineSpec({
  path: ["jwks"],
  summary: "fetch, show and check a set of verification keys",
  description: [
    "Fetches the JWKS of the configured backend, or reads one from a file or URL, and shows for each key whether it can verify agent identity JWTs. If it cannot, the reason is shown: another use or algorithm, too few bits, no id.",
  ],
  args: [{ name: "from", required: false, summary: "a file or URL", completes: "file" }],
  flags: {
    kid: { type: "string", value: "KID", summary: "fail unless this key is present and usable" },
    json: { type: "boolean", summary: "print JSON (docs/json-output.md)" },
  },
  exitCodes: { 1: "no key set was found, it has no usable key, or the given key is not usable" },
  examples: [
    { line: "agent-auth jwks", does: "Check the keys of the configured backend" },
    {
      line: "agent-auth jwks jwks.json --kid key-1",
      does: "Check one key in a file",
    },
  ],
});
