import { defineSpec } from "../../argv/command-spec.ts";

export const spec = defineSpec({
  path: ["doctor"],
  summary: "find out why requests fail and how to fix it",
  description: [
    "Checks configuration, files and their modes, the store and its lock, the environment, TLS and proxy, the backend's keys, the clock against the server's, the model provider, the credential and its expiry, restrictions, and the sign-ins to gateways. Each line is ok, warn or fail, and says what fixes it.",
    "Nothing is changed: no token is refreshed and no sign-in is removed.",
  ],
  args: [],
  flags: { json: { type: "boolean", summary: "print JSON (docs/json-output.md)" } },
  exitCodes: { 0: "nothing failed; there may be warnings", 1: "something failed" },
  examples: [
    { line: "agent-auth doctor", does: "Check everything" },
    {
      line: `agent-auth doctor --json | jq '.checks[] | select(.status == "fail")'`,
      does: "For a script",
    },
  ],
});
