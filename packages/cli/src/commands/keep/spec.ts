import { defineSpec } from "../../argv/command-spec.ts";

export const spec = defineSpec({
  path: ["keep"],
  summary: "keep the sign-in fresh until stopped",
  description: [
    "Refreshes the access token of the stored ChatGPT sign-in ten minutes before it expires, so that no other program, such as Codex, has to refresh it. A refresh token can be used only once: programs that refresh at the same time can end the sign-in.",
    "Also notices when another program signs in, refreshes or signs out. Without --wait, the command ends after a logout, or if a new sign-in is needed.",
    "docs/keep-fresh.md has a systemd user unit and a launchd agent.",
  ],
  args: [],
  flags: {
    wait: {
      type: "boolean",
      summary: "wait for a sign-in instead of ending when there is none to keep fresh",
    },
  },
  endsOnSignal: true,
  exitCodes: {
    0: "stopped by Ctrl-C or SIGTERM",
    1: "the stored credential cannot be refreshed, such as an API key, or the command failed",
    2: "invalid command line",
    4: "a sign-in is needed",
  },
  examples: [
    { line: "agent-auth keep", does: "Keep the sign-in fresh while this terminal is open" },
    { line: "agent-auth keep --wait", does: "As a service, whether or not there is a sign-in" },
  ],
});
