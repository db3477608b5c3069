import { CliError } from "../errors/cli-error.ts";
import type { BrokenAccount } from "./kept-accounts.ts";

/** Whoever must not touch a kept sign-in stays away from what may be one. */
export const cannotTell = ({ name, error }: BrokenAccount) =>
  new CliError({
    code: "CLI_ACCOUNT_UNREADABLE",
    message: `the present sign-in may be the one kept as ${name}, which cannot be read (${error.message})`,
    hint: `Mend that, or give it up. Run: agent-auth accounts remove ${name}`,
  });

/** One account that is asked for by its name and cannot be read. What is signed in now has nothing to do with it. */
export const cannotRead = ({ name, error }: BrokenAccount) =>
  new CliError({
    code: "CLI_ACCOUNT_UNREADABLE",
    message: `the account kept as ${name} cannot be read (${error.message})`,
    hint: `Mend that, or give it up. Run: agent-auth accounts remove ${name}`,
  });

/** A folder that cannot be looked into is not an empty one. */
export const cannotList = (errno: string) =>
  new CliError({
    code: "CLI_ACCOUNT_UNREADABLE",
    message: `the folder of the kept accounts cannot be read (${errno})`,
    hint: "Mend its permissions.",
  });

export const folderTrouble = (name: string, operation: "made" | "removed", errno: string) =>
  new CliError({
    code: "CLI_ACCOUNT_FOLDER",
    message: `the folder of ${name} cannot be ${operation} (${errno})`,
    hint: "Mend the permissions of CODEX_HOME.",
  });
