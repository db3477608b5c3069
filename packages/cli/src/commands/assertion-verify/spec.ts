import { defineSpec } from "../../argv/command-spec.ts";

export const spec = defineSpec({
  path: ["assertion", "verify"],
  summary: "verify an AgentAssertion header as a server would",
  description: [
    "Checks the Ed25519 signature with the agent's public key, the timestamp, and the runtime and task if they are given. stdin is the header's value (`AgentAssertion …`), or the whole header line.",
    "--public-key is a key in SSH form, or a file that holds one. Without it, the key of the signed-in agent is used.",
  ],
  args: [],
  flags: {
    "public-key": {
      type: "string",
      value: "KEY|FILE",
      summary: "`ssh-ed25519 …`, or a file that holds it",
    },
    runtime: { type: "string", value: "ID", summary: "the only agent runtime to accept" },
    task: { type: "string", value: "ID", summary: "the only task to accept" },
    window: {
      type: "string",
      value: "SECONDS",
      summary: "how far the timestamp may be from now; default 300",
    },
    json: { type: "boolean", summary: "print JSON (docs/json-output.md)" },
  },
  exitCodes: {
    0: "the assertion is valid",
    1: "the assertion is not valid, or could not be checked",
  },
  examples: [
    {
      line: "agent-auth headers | grep -i ^authorization | agent-auth assertion verify",
      does: "Verify the header that the next request would have",
    },
    {
      line: "agent-auth assertion verify --public-key agent.pub --json < header.txt",
      does: "Verify the header of another agent, for a script",
    },
  ],
});
