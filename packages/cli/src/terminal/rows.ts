import { printable } from "./printable.ts";

/** Lines of a name and a value each, indented, values in one column. Values may come from elsewhere. */
export const rowLines = (rows: readonly (readonly [string, string])[]): readonly string[] => {
  const width = Math.max(0, ...rows.map(([name]) => name.length)) + 2;
  return rows.map(([name, value]) => `  ${`${name}:`.padEnd(width)}${printable(value)}`);
};
