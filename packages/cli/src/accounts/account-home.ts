import { join } from "node:path";

/** Every kept account is a small CODEX_HOME of its own, below the real one. Codex never looks there. */
export const accountsFolder = (codexHome: string): string => join(codexHome, "accounts");

export const accountHome = (codexHome: string, name: string): string =>
  join(accountsFolder(codexHome), name);

/** A name is a folder's name: it must not climb, hide, or mean something to a shell. */
export const isAccountName = (name: string): boolean =>
  /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/u.test(name) && !name.endsWith(".");
