import { defineSpec } from "../../argv/command-spec.ts";

export const spec = defineSpec({
  path: ["headers"],
  summary: "print the headers that a request would carry",
  description: [
    "Prints every header that this program would put on a request to the configured model provider, one per line. An agent identity's assertion contains the time at which it was made, and servers accept it for a few minutes: run the command again for later requests.",
    "On a terminal values are masked unless --show is given; a pipe or file gets them whole.",
    "--curl prints them as a curl configuration, to be piped into `curl -K -`, so that no secret appears in a process list.",
  ],
  args: [],
  flags: {
    show: { type: "boolean", summary: "print values whole on a terminal too" },
    json: { type: "boolean", summary: "print JSON (docs/json-output.md)" },
    curl: { type: "boolean", summary: "print a curl configuration" },
  },
  mayNeedSignIn: true,
  examples: [
    {
      line: "agent-auth headers --curl | curl -K - https://chatgpt.com/backend-api/codex/models",
      does: "Let curl send an authenticated request",
    },
    { line: "agent-auth headers --json | jq .baseUrl", does: "Show the base URL of requests" },
  ],
});
