import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";

const repository = join(import.meta.dirname, "../../../..");

/** The text of a file of the repository. */
export const readRepository = (path: string): string =>
  readFileSync(join(repository, path), "utf8");

export const protocol = readRepository("docs/protocol.md");

/** A section of docs/protocol.md by its number. */
export const section = (number: number): string => {
  const text = protocol.split(/^## /mu).find((part) => part.startsWith(`${number}. `));
  if (text === undefined) throw new Error(`docs/protocol.md has no section ${number}`);
  return text;
};

/** The rows of the tables in a text, their cells trimmed; heads left out. */
const rows = (text: string): readonly (readonly string[])[] => {
  const tables = text.match(/(?:^\|.*\n)+/gmu) ?? [];
  return tables.flatMap((table) =>
    table
      .trimEnd()
      .split("\n")
      .slice(2)
      .map((row) =>
        row
          .slice(1, -1)
          .split(/(?<!\\)\|/u)
          .map((cell) => cell.trim()),
      ),
  );
};

/** The table under a head whose first cell is given. */
export const tableUnder = (head: string, text: string): readonly (readonly string[])[] => {
  const tables = text.match(/(?:^\|.*\n)+/gmu) ?? [];
  const found = tables.find((table) => table.slice(1).trimStart().startsWith(`${head} `));
  if (found === undefined) throw new Error(`no table under ${head}`);
  return rows(found);
};

/** The words in backticks. */
export const quoted = (text: string): readonly string[] =>
  Array.from(text.matchAll(/`([^`\n]+)`/gu), ([, word = ""]) => word);

/** The words in backticks in one column of a table. */
export const quotedIn = (
  column: number,
  table: readonly (readonly string[])[],
): readonly string[] => table.flatMap((row) => quoted(row[column] ?? ""));

/** The fenced blocks of a language, fences left out. */
export const blocks = (language: string, text: string): readonly string[] =>
  Array.from(text.matchAll(/^```(\w+)\n(.*?)\n```$/gmsu), ([, found, block = ""]) =>
    found === language ? [block] : [],
  ).flat();

export interface RepositoryFile {
  /** Below `packages`. */
  readonly path: string;
  readonly text: string;
}

/** The files under `packages` that a pattern finds. */
export const packageFiles = (pattern: string): readonly RepositoryFile[] =>
  globSync(pattern, { cwd: join(repository, "packages") }).map((path) => ({
    path,
    text: readRepository(join("packages", path)),
  }));

export const textOf = (files: readonly RepositoryFile[]): string =>
  files.map(({ text }) => text).join("\n");
