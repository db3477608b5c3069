/**
 * What a caller can do about an error. Every error of these packages has a `remedy`; front ends map it to their own
 * command or button. `hint` says the same thing in words and is never parsed.
 *
 * - `signIn`: only a new sign-in helps.
 * - `retry`: the failure may be temporary; try again later.
 * - `fixInput`: the value or argument that was passed in is wrong.
 * - `fixEnvironment`: correct or unset an environment variable.
 * - `fixConfig`: correct `config.toml`, an override, or an option.
 * - `fixStore`: repair the credential store: `auth.json`, the OS keyring, CODEX_HOME, its locks.
 * - `fixNetwork`: check the network, the proxy, or the trusted certificates.
 * - `contactAdmin`: only an administrator can change the rule or grant the entitlement.
 */
export type Remedy =
  | "signIn"
  | "retry"
  | "fixInput"
  | "fixEnvironment"
  | "fixConfig"
  | "fixStore"
  | "fixNetwork"
  | "contactAdmin";
