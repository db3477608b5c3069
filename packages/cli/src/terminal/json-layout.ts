import { parseJson } from "@agent-auth/agent-identity/encoding";
import { escapeUnsafe } from "./write.ts";

const token = /"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/gu;

/** Deeper values are not laid out: their indentation would be many times as long as the text. */
const MAX_DEPTH = 256;

/**
 * A JSON text laid out for a person: two spaces of indentation, and colours if wanted. Numbers, key order and duplicate
 * keys stay as they were written, which parsing and printing would not guarantee. Characters in strings that a terminal
 * would obey are escaped.
 *
 * @returns `null` if the text is not one JSON value, or if it is nested deeper than 256 levels
 */
export const layOutJson = (
  text: string,
  { colour }: { readonly colour: boolean },
): string | null => {
  if (parseJson(text) === undefined) return null;
  const tokens = text.match(token) ?? [];
  if (depthOf(tokens) > MAX_DEPTH) return null;
  let laidOut = "";
  let depth = 0;
  const newLine = () => `\n${"  ".repeat(depth)}`;
  tokens.forEach((word, at) => {
    const next = tokens[at + 1];
    if (word === "{" || word === "[") {
      depth += 1;
      laidOut += next === "}" || next === "]" ? word : word + newLine();
    } else if (word === "}" || word === "]") {
      depth -= 1;
      const before = tokens[at - 1];
      laidOut += before === "{" || before === "[" ? word : newLine() + word;
    } else if (word === ",") laidOut += word + newLine();
    else if (word === ":") laidOut += ": ";
    else {
      const shown = escapeUnsafe(word);
      laidOut += colour ? painted(shown, next === ":") : shown;
    }
  });
  return laidOut;
};

const depthOf = (tokens: readonly string[]): number => {
  let depth = 0;
  let deepest = 0;
  for (const word of tokens) {
    if (word === "{" || word === "[") deepest = Math.max(deepest, ++depth);
    else if (word === "}" || word === "]") depth -= 1;
  }
  return deepest;
};

/** The colours that gh uses: keys bold blue, strings green, literals yellow, numbers as they are. */
const painted = (word: string, isKey: boolean): string => {
  if (isKey) return `\u001b[1;34m${word}\u001b[m`;
  if (word.startsWith('"')) return `\u001b[32m${word}\u001b[m`;
  return /^[tfn]/u.test(word) ? `\u001b[33m${word}\u001b[m` : word;
};
