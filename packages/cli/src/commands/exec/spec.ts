import { defineSpec } from "../../argv/command-spec.ts";

export const spec = defineSpec({
  path: ["exec"],
  summary: "run a program with the credential in its environment",
  description: [
    "Runs PROGRAM with CODEX_API_KEY (an API key) or CODEX_ACCESS_TOKEN (an agent identity JWT, a personal access token, or a fresh ChatGPT access token) in its environment, and never in its arguments. Other credential variables are taken out, so that exactly this identity rules. Overrides given with -c are passed on in AGENT_AUTH_CONFIG.",
    "The program has this terminal, gets the signals, and its exit code becomes this command's. A ChatGPT access token is not renewed while it runs: for long work, agent-auth proxy is the better way.",
  ],
  args: [
    { name: "program", required: true, summary: "looked for in PATH" },
    { name: "args", required: false, variadic: true, summary: "passed on as they are" },
  ],
  flags: {},
  passesThrough: true,
  handlesSignals: true,
  exitCodes: {
    126: "the program cannot be executed",
    127: "there is no such program",
    n: "any other code is the program's own; 128 + n where signal n ended it",
  },
  mayNeedSignIn: true,
  examples: [
    { line: "agent-auth exec -- codex exec 'Fix the build'", does: "Run Codex as this identity" },
  ],
});
