export type JsonLayout = "pretty" | "compact";

const token = /"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\],:]|[^\s"{}[\],:]+/g;

/**
 * Reformats valid JSON text that is nested in `outerDepth` objects. Only white space changes: numbers, escapes and the
 * order of keys stay.
 */
export const reformatJson = (json: string, layout: JsonLayout, outerDepth = 0): string => {
  const tokens = json.match(token) ?? [];
  return layout === "compact" ? tokens.join("") : pretty(tokens, outerDepth);
};

const pretty = (tokens: ReadonlyArray<string>, outerDepth: number): string => {
  let out = "";
  let depth = outerDepth;
  let isFresh = true; // the innermost object or array is still empty
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
