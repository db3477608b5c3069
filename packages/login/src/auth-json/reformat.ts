export type JsonLayout = "pretty" | "compact";

const token = /"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\],:]|[^\s"{}[\],:]+/g;

/** Lays valid JSON text out anew. Only white space changes: numbers, escapes and the order of keys stay. */
export const reformatJson = (json: string, layout: JsonLayout): string => {
  const tokens = json.match(token) ?? [];
  return layout === "compact" ? tokens.join("") : pretty(tokens);
};

const pretty = (tokens: ReadonlyArray<string>): string => {
  let out = "";
  let depth = 0;
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
    if (isFresh && depth > 0) newLine();
    isFresh = token === "{" || token === "[";
    if (isFresh) depth++;
    out += token;
  }
  return out;
};
