import { printable } from "./safe-text.ts";

/** One line for each name and value, indented, the values aligned in one column. Values may come from outside. */
export const formatRows = (rows: readonly (readonly [string, string])[]): readonly string[] => {
  const width = Math.max(0, ...rows.map(([name]) => name.length)) + 2;
  return rows.map(([name, value]) => `  ${`${name}:`.padEnd(width)}${printable(value)}`);
};

/**
 * Breaks prose between words into lines of at most `columns` characters. A longer word gets its own line and is not
 * broken, so that an address can still be copied.
 */
export const wrapText = (text: string, columns: number): readonly string[] => {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    const longer = line === "" ? word : `${line} ${word}`;
    if (longer.length <= columns || line === "") {
      line = longer;
    } else {
      lines.push(line);
      line = word;
    }
  }
  return [...lines, line];
};
