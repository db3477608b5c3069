import { join } from "node:path";
import type { CodexHome } from "./codex-home.ts";
import { readHomeFile } from "./home-file.ts";

/** Look names up with `typeof … === "string"`: an object has inherited members. */
type Variables = Readonly<Record<string, string | undefined>>;

export interface DotEnv {
  readonly variables: Variables;
  /**
   * Why the file could not be read. Absent if the folder itself is unusable: everything that needs the folder reports
   * that.
   */
  readonly problem?: { readonly path: string; readonly reason: string };
}

/** Reads `$CODEX_HOME/.env`. `$NAME` in it refers first to `variables`, those of the process. */
export const readDotEnv = (home: CodexHome, variables: Variables): DotEnv => {
  const file = readHomeFile(home, ".env");
  if (file._tag === "Failed" && file.error._tag === "ConfigUnreadable") {
    const { path, reason } = file.error;
    return { variables: {}, problem: { path, reason } };
  }
  if (file._tag !== "Read") return { variables: {} };
  const parsed = parseDotEnv(new TextDecoder().decode(file.bytes), variables);
  if (parsed !== undefined) return { variables: parsed };
  const reason = "its references to variables expand to more than 1 MiB";
  return { variables: {}, problem: { path: join(home.path, ".env"), reason } };
};

/**
 * Returns the variables of a `.env` file by the rules of the `dotenvy` crate, which Codex uses: comments, `export`,
 * single and double quotes, values over several lines, backslashes, and `$NAME` and `${NAME}` outside of single quotes.
 * A `$NAME` ends before the first character that is not a letter or digit, `_` included. Lines that break the rules are
 * skipped, as Codex does. Names that start with `CODEX_` or `AGENT_AUTH_` are left out: such a variable counts only if
 * it is set in the process itself.
 *
 * Returns `undefined` if the values of all references together have more than 1,048,576 characters: a few lines that
 * each refer to the previous one twice could expand to terabytes.
 */
export const parseDotEnv = (text: string, variables: Variables): Variables | undefined => {
  const found = new Map<string, string>();
  let charactersLeft = MAX_EXPANDED_CHARACTERS;
  const lookUp = (name: string): string => {
    const own = variables[name];
    const value = typeof own === "string" ? own : (found.get(name) ?? "");
    charactersLeft -= value.length;
    return charactersLeft < 0 ? "" : value;
  };
  for (const line of logicalLines(text)) {
    const [, name = "", raw = ""] = assignment.exec(line) ?? [];
    const value = raw.startsWith("#") ? "" : parseValue(raw, lookUp);
    if (charactersLeft < 0) return undefined;
    if (name !== "" && value !== undefined) found.set(name, value);
  }
  return Object.fromEntries([...found].filter(([name]) => !reserved.test(name)));
};

const MAX_EXPANDED_CHARACTERS = 1024 * 1024;

const assignment = /^\s*(?:export\s+(?!=))?([A-Za-z_][\w.]*)\s*=\s*([^]*)$/;

const reserved = /^(?:CODEX|AGENT_AUTH)_/i;

/** The lines of a file. A quoted value may contain line breaks; a comment is left out. */
function* logicalLines(text: string): Generator<string> {
  let start = 0;
  let quote = "";
  let mayStartComment = true; // at the start of a line and after white space
  for (let at = 0; at < text.length; at++) {
    const character = text.charAt(at);
    const isComment = character === "#" && quote === "" && mayStartComment;
    mayStartComment = quote === "" && /\s/.test(character);
    if (character === "\\") at++;
    else if (quote !== "") quote = character === quote ? "" : quote;
    else if (character === '"' || character === "'") quote = character;
    else if (character === "\n" || isComment) {
      yield text.slice(start, at).trimEnd();
      const end = text.indexOf("\n", at);
      if (end === -1) return;
      at = end;
      start = end + 1;
      mayStartComment = true;
    }
  }
  if (quote === "") yield text.slice(start).trimEnd();
}

/** `undefined` if the value breaks the rules: an unknown escape, an open quote, or a second word. */
const parseValue = (raw: string, lookUp: (name: string) => string): string | undefined => {
  let value = "";
  let quote = "";
  for (let at = 0; at < raw.length; at++) {
    const character = raw.charAt(at);
    if (quote === "'") {
      if (character === "'") quote = "";
      else value += character;
    } else if (character === "\\") {
      const escaped = raw.charAt(++at);
      if (escaped === "n") value += "\n";
      else if (escaped !== "" && "\\'\"$ ".includes(escaped)) value += escaped;
      else return undefined;
    } else if (character === "$") {
      const [reference = "$", block, name = block] = referenceAt(raw, at) ?? [];
      if (name === undefined) return undefined; // "${" without "}"
      value += lookUp(name);
      at += reference.length - 1;
    } else if (character === quote) quote = "";
    else if (quote === "" && (character === '"' || character === "'")) quote = character;
    else if (quote === "" && (character === " " || character === "\t"))
      return raw.slice(at).trim() === "" ? value : undefined;
    else value += character;
  }
  return quote === "" ? value : undefined;
};

const reference = /\$(?:\{([^}]*)\}|(?!\{)([\p{L}\p{N}]*))/uy;

const referenceAt = (raw: string, at: number): RegExpExecArray | null => {
  reference.lastIndex = at;
  return reference.exec(raw);
};
