import { defineSpec } from "../../argv/command-spec.ts";

export const spec = defineSpec({
  path: ["token"],
  summary: "print the token that a request would carry",
  description: [
    "Prints the credential of the Authorization header, without its scheme: an API key, an access token (refreshed first if it is due), or, for an agent identity, an assertion signed for the current second.",
    "On a terminal the token is masked unless --show is given; a pipe or file gets it whole.",
  ],
  args: [],
  flags: {
    show: { type: "boolean", summary: "do not mask it on a terminal" },
    json: { type: "boolean", summary: "print JSON (docs/json-output.md)" },
  },
  mayNeedSignIn: true,
  examples: [
    {
      line: "agent-auth token | wl-copy",
      does: "Put the token on the clipboard without showing it",
    },
  ],
});
