export type JsonLayout = "pretty" | "compact";

const token = /"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\],:]|[^\s"{}[\],:]+/g;

/**
 * Lays valid JSON text out anew, as it stands `outerDepth` objects deep. Only white space changes: numbers, escapes and
 * the order of keys stay.
 */
export const reformatJson = (json: string, layout: JsonLayout, outerDepth = 0): string => {
  const tokens = json.match(token) ?? [];
  return layout === "compact" ? tokens.join("") : pretty(tokens, outerDepth);
};

const pretty = (tokens: ReadonlyArray<string>, outerDepth: number): string => {
  let out = "";
  let depth = outerDepth;
  let isFresh = true; // nothing stands yet in the innermost object or array
  const newLine = (): void => {
    out += `\n${"  ".repeat(depth)}`;
  };
  for (const token of tokens) {
    if (token === "}" || token === "]") {
      depth--;
      if (!isFresh) newLine();
      isFresh = false;
      out += token;
      continue;
    }
    if (token === ",") {
      out += ",";
      newLine();
      continue;
    }
    if (token === ":") {
      out += ": ";
      continue;
    }
    if (isFresh && depth > outerDepth) newLine();
    isFresh = token === "{" || token === "[";
    if (isFresh) depth++;
    out += token;
  }
  return out;
};
