import { defineSpec } from "../../argv/command-spec.ts";

export const spec = defineSpec({
  path: ["completion"],
  summary: "print a completion script for bash, zsh or fish",
  description: [
    "bash: put `source <(agent-auth completion bash)` into ~/.bashrc.",
    "zsh: put `source <(agent-auth completion zsh)` into ~/.zshrc, after compinit.",
    "fish: agent-auth completion fish > ~/.config/fish/completions/agent-auth.fish",
  ],
  args: [{ name: "shell", required: true, summary: "bash, zsh or fish", completes: "shell" }],
  flags: {},
  examples: [
    { line: "source <(agent-auth completion bash)", does: "Complete commands in this shell" },
  ],
});
