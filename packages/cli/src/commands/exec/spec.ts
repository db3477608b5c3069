import { defineSpec } from "../../argv/command-spec.ts";

export const spec = defineSpec({
  path: ["exec"],
  summary: "run a program with the credential in its environment",
  description: [
    "Runs PROGRAM with CODEX_API_KEY (an API key) or CODEX_ACCESS_TOKEN (an agent identity JWT, a personal access token, a fresh ChatGPT access token, or the token of a workload identity) in its environment, never in its arguments. Other variables that carry or select a credential are removed, so that the program uses exactly this credential. Overrides given with -c are passed on in AGENT_AUTH_CONFIG.",
    "The program uses this terminal and receives the signals; its exit code becomes the exit code of this command. A ChatGPT access token is not refreshed while the program runs: for long work, use agent-auth proxy.",
    "Node's debug output (NODE_DEBUG=child_process), which would print the credential, is suppressed while the program starts. Anyone who can read the environment of the program can read the credential.",
  ],
  args: [
    { name: "program", required: true, summary: "looked up in PATH" },
    { name: "args", required: false, variadic: true, summary: "passed on unchanged" },
  ],
  flags: {},
  passesThrough: true,
  handlesSignals: true,
  exitCodes: {
    126: "the program cannot be executed",
    127: "the program does not exist",
    n: "any other code is the program's own; 128 + n if signal n ended it",
  },
  mayNeedSignIn: true,
  examples: [
    {
      line: "agent-auth exec -- codex exec 'Fix the build'",
      does: "Run Codex with this credential",
    },
  ],
});
