/** Returns a position in a file in the form that editors and terminals link: `path:line:column`, counted from 1. */
export const place = (where: string, line?: number, column?: number): string => {
  if (line === undefined) return where;
  return column === undefined ? `${where}:${line}` : `${where}:${line}:${column}`;
};

/** A path as one word of a shell command. */
export const quoteForShell = (path: string): string =>
  /^[\w@%+=:,./-]+$/.test(path) ? path : `'${path.replaceAll("'", String.raw`'\''`)}'`;
