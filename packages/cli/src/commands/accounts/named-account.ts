import { isAccountName } from "../../accounts/account-home.ts";
import { UsageError } from "../../argv/usage-error.ts";
import { CliError } from "../../errors/cli-error.ts";

/** @throws UsageError where the name could not be a folder's */
export const accountName = (given: string | undefined, path: readonly string[]): string => {
  if (given !== undefined && isAccountName(given)) return given;
  throw new UsageError(
    "an account's name is 1 to 64 letters, digits, dots, dashes and underscores",
    path,
  );
};

export const unknownAccount = (name: string) =>
  new CliError({
    code: "CLI_ACCOUNT_UNKNOWN",
    message: `no account is kept as ${name}`,
    hint: "Run: agent-auth accounts list",
  });
