import { defineSpec } from "../../argv/command-spec.ts";

export const spec = defineSpec({
  path: ["doctor"],
  summary: "find out why requests fail, and what mends it",
  description: [
    "Checks configuration, files and their modes, the store, the environment, TLS and proxy, the backend's keys, the clock against the server's, the model provider, the credential and its expiry, and restrictions. Each line is ok, warn or fail, and says what mends it.",
    "Looking changes nothing: nobody is signed out. An access token that is about to expire is renewed, as the next request would do.",
  ],
  args: [],
  flags: { json: { type: "boolean", summary: "answer in JSON (docs/json-output.md)" } },
  exitCodes: { 0: "nothing failed; there may be warnings", 1: "something failed" },
  examples: [
    { line: "agent-auth doctor", does: "What is wrong here?" },
    {
      line: `agent-auth doctor --json | jq '.checks[] | select(.status == "fail")'`,
      does: "For a script",
    },
  ],
});
