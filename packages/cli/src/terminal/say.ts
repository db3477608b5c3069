import { writeLine } from "./write.ts";

/** What a command tells people besides its answer. `--quiet` silences it; errors are not said through here. */
export interface Say {
  (line: string): void;
}

export const makeSay = (globals: { readonly quiet: boolean }): Say =>
  globals.quiet ? () => {} : writeLine;
