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
    "Shows every sign-in that is kept under a name, and marks the one that requests use now. Asks no network and verifies nothing.",
  ],
  args: [],
  flags: { json: { type: "boolean", summary: "answer in JSON (docs/json-output.md)" } },
  examples: [{ line: "agent-auth accounts list", does: "Which sign-ins do I have?" }],
});

export const addSpec = defineSpec({
  path: ["accounts", "add"],
  summary: "sign in under a name, beside the current sign-in",
  description: [
    "Signs in as agent-auth login does, with the same flags, but keeps the credential under a name: the current sign-in stays, and none of its tokens is revoked. Switch to it with agent-auth accounts use.",
    "--current signs nobody in: it keeps the current sign-in under the name.",
    "Kept sign-ins lie in $CODEX_HOME/accounts/<name>, in the same store as the current one (file or keyring). Codex does not look there: what it reads stays $CODEX_HOME/auth.json.",
  ],
  args: [name],
  flags: {
    current: { type: "boolean", summary: "keep the current sign-in under this name" },
    ...login.flags,
  },
  mayNeedSignIn: true,
  examples: [
    { line: "agent-auth accounts add work --current", does: "Keep who I am now as `work`" },
    { line: "agent-auth accounts add personal", does: "Sign in as somebody else, too" },
    {
      line: "agent-auth accounts add robot --with-agent-identity < agent.jwt",
      does: "Keep an agent beside the people",
    },
  ],
});

export const useSpec = defineSpec({
  path: ["accounts", "use"],
  summary: "switch to a kept sign-in, without signing out",
  description: [
    "Puts the current sign-in aside, with the tokens that it was renewed with since, and makes the named one the current one, for this program and for Codex. Nobody is signed out, nothing is revoked.",
    "Where the current sign-in is not kept under any name, it would be lost: then nothing is changed.",
  ],
  args: [name],
  flags: {},
  examples: [{ line: "agent-auth accounts use work", does: "Be `work` from now on" }],
});

export const removeSpec = defineSpec({
  path: ["accounts", "remove"],
  summary: "sign a kept account out and forget it",
  description: [
    "Revokes the tokens of a kept ChatGPT sign-in, as far as the authority can be reached, and removes it. The current sign-in cannot be removed this way: agent-auth logout does that.",
  ],
  args: [name],
  flags: {},
  examples: [{ line: "agent-auth accounts remove robot", does: "Forget `robot`" }],
});
