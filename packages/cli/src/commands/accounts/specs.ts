import { defineSpec } from "../../argv/command-spec.ts";
import { spec as login } from "../login/spec.ts";

const name = {
  name: "name",
  required: true,
  summary: "letters, digits, dot, dash, underscore",
  completes: "account",
} as const;

export const listSpec = defineSpec({
  path: ["accounts", "list"],
  summary: "list kept sign-ins",
  description: [
    "Shows every sign-in that is kept under a name, and marks the one that requests use now. Sends no request and verifies nothing.",
  ],
  args: [],
  flags: { json: { type: "boolean", summary: "print JSON (docs/json-output.md)" } },
  examples: [{ line: "agent-auth accounts list", does: "List the kept sign-ins" }],
});

export const addSpec = defineSpec({
  path: ["accounts", "add"],
  summary: "sign in under a name, and keep the current sign-in",
  description: [
    "Signs in as agent-auth login does, with the same flags, but keeps the credential under a name: the current sign-in stays, and its tokens are not revoked. Switch to the new one with agent-auth accounts use.",
    "With --current, there is no new sign-in: the current one is kept under the name.",
    "Kept sign-ins are in $CODEX_HOME/accounts/<name>, or in the OS keyring if the current sign-in is stored there. Codex does not read them.",
  ],
  args: [name],
  flags: {
    current: { type: "boolean", summary: "keep the current sign-in under this name" },
    ...login.flags,
  },
  mayNeedSignIn: true,
  examples: [
    { line: "agent-auth accounts add work --current", does: "Keep the current sign-in as `work`" },
    { line: "agent-auth accounts add personal", does: "Sign in with a second account" },
    {
      line: "agent-auth accounts add robot --with-agent-identity < agent.jwt",
      does: "Add an agent",
    },
  ],
});

export const useSpec = defineSpec({
  path: ["accounts", "use"],
  summary: "switch to a kept sign-in, without signing out",
  description: [
    "Saves the current sign-in, with its latest tokens, under its name, and makes the named one current, for agent-auth and for Codex. Nothing is signed out or revoked.",
    "A current sign-in that is not kept under a name would be lost, so the command fails and changes nothing.",
  ],
  args: [name],
  flags: {},
  examples: [{ line: "agent-auth accounts use work", does: "Switch to `work`" }],
});

export const removeSpec = defineSpec({
  path: ["accounts", "remove"],
  summary: "sign out of a kept account and remove it",
  description: [
    "Revokes the tokens of a kept ChatGPT sign-in, if the authority can be reached, and removes it. The current sign-in cannot be removed this way: agent-auth logout does that.",
  ],
  args: [name],
  flags: {},
  examples: [{ line: "agent-auth accounts remove robot", does: "Remove `robot`" }],
});

export const switchWorkspaceSpec = defineSpec({
  path: ["accounts", "switch-workspace"],
  summary: "switch the workspace of the sign-in",
  description: [
    "Switches the current ChatGPT sign-in to another workspace of the same person, for agent-auth and for Codex. Without an id, lists the workspaces.",
    "If the backend refuses, for example because the workspace has its own sign-in, the current sign-in is kept. Sign in to that workspace with agent-auth accounts add.",
  ],
  args: [{ name: "workspace-id", required: false, summary: "id of the workspace" }],
  flags: { json: { type: "boolean", summary: "print JSON (docs/json-output.md)" } },
  mayNeedSignIn: true,
  examples: [
    { line: "agent-auth accounts switch-workspace", does: "List the workspaces of the sign-in" },
    { line: "agent-auth accounts switch-workspace ws-1234", does: "Switch to that workspace" },
  ],
});
