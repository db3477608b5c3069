/**
 * Returns the line, counted from 1, of the first key or table header that is at `path` or below it. `text` has to be
 * TOML that was parsed without an error. One pass over the text, because a config.toml of Codex grows with every project
 * that it has seen; smol-toml keeps no positions.
 */
export const lineOfKey = (text: Text, path: ReadonlyArray<string>): number | undefined => {
  const offset = new KeyScanner(text, path).find();
  if (offset === undefined) return undefined;
  let line = 1;
  for (let at = text.indexOf("\n"); at !== -1 && at < offset; at = text.indexOf("\n", at + 1))
    line++;
  return line;
};

/** The members of a string that are used, so that a test can count their calls. */
export type Text = Pick<string, "charAt" | "indexOf" | "length" | "slice" | "startsWith">;

class KeyScanner {
  readonly #text: Text;
  readonly #path: ReadonlyArray<string>;
  #at = 0;
  #found: number | undefined;

  constructor(text: Text, path: ReadonlyArray<string>) {
    this.#text = text;
    this.#path = path;
  }

  find(): number | undefined {
    let table: ReadonlyArray<string> = [];
    for (;;) {
      this.#skipBlank();
      if (this.#found !== undefined || this.#at >= this.#text.length) return this.#found;
      if (this.#peek() === "[") {
        this.#at += this.#text.startsWith("[[", this.#at) ? 2 : 1;
        table = this.#key([]);
        this.#skipTo("\n");
      } else {
        this.#keyValue(table);
      }
    }
  }

  #peek(): string {
    return this.#text.charAt(this.#at);
  }

  #keyValue(table: ReadonlyArray<string>): void {
    const start = this.#at;
    const key = this.#key(table);
    this.#at++; // "="
    this.#value(key);
    if (this.#at <= start + 1) this.#at = this.#text.length; // not TOML
  }

  /** Reads a dotted key; the answer has as many parts as can matter. */
  #key(table: ReadonlyArray<string>): ReadonlyArray<string> {
    this.#skipSpace();
    const start = this.#at;
    const parts = [...table];
    for (;;) {
      this.#skipSpace();
      const part = this.#keyPart();
      if (parts.length < this.#path.length) parts.push(part);
      this.#skipSpace();
      if (this.#peek() !== ".") break;
      this.#at++;
    }
    const isFound = this.#path.every((part, index) => part === parts[index]);
    if (isFound) this.#found ??= start;
    return parts;
  }

  #keyPart(): string {
    const start = this.#at;
    const quote = this.#peek();
    if (quote === '"' || quote === "'") {
      this.#string();
      const inner = this.#text.slice(start + 1, this.#at - 1);
      return quote === "'" ? inner : unescape(inner);
    }
    while (this.#at < this.#text.length && !" \t\r\n.=]".includes(this.#peek())) this.#at++;
    return this.#text.slice(start, this.#at);
  }

  #value(key: ReadonlyArray<string>): void {
    this.#skipSpace();
    const character = this.#peek();
    if (character === '"' || character === "'") this.#string();
    else if (character === "[") this.#items("]", () => this.#value(notAKey));
    else if (character === "{") this.#items("}", () => this.#keyValue(key));
    else while (this.#at < this.#text.length && !",]}#\r\n".includes(this.#peek())) this.#at++;
  }

  /** The items of an array or of an inline table, up to and including the closing bracket. */
  #items(close: string, item: () => void): void {
    this.#at++;
    while (this.#found === undefined && this.#at < this.#text.length) {
      this.#skipBlank();
      const character = this.#peek();
      if (character === close || character === ",") this.#at++;
      else item();
      if (character === close) return;
    }
  }

  #string(): void {
    const quote = this.#peek();
    const fence = quote.repeat(3);
    const isLong = this.#text.startsWith(fence, this.#at);
    const end = isLong ? fence : quote;
    this.#at += end.length;
    while (this.#at < this.#text.length && !this.#text.startsWith(end, this.#at))
      this.#at += quote === '"' && this.#peek() === "\\" ? 2 : 1;
    this.#at += end.length;
    // Up to two quotes may stand before the closing three.
    if (isLong) while (this.#peek() === quote) this.#at++;
  }

  #skipSpace(): void {
    while (this.#peek() === " " || this.#peek() === "\t") this.#at++;
  }

  /** White space, line breaks and comments. */
  #skipBlank(): void {
    for (;;) {
      const character = this.#peek();
      if (character === "#") this.#skipTo("\n");
      else if (character !== "" && " \t\r\n".includes(character)) this.#at++;
      else return;
    }
  }

  #skipTo(text: string): void {
    const at = this.#text.indexOf(text, this.#at);
    this.#at = at === -1 ? this.#text.length : at;
  }
}

/** A table in an array has no path. */
const notAKey: ReadonlyArray<string> = ["\0"];

const unescape = (text: string): string =>
  text.replaceAll(
    /\\(?:u([\da-fA-F]{4})|U([\da-fA-F]{8})|x([\da-fA-F]{2})|(.))/g,
    (_, short?: string, long?: string, byte?: string, letter = "") => {
      const code = short ?? long ?? byte;
      if (code !== undefined) return String.fromCodePoint(Number.parseInt(code, 16));
      return escapes[letter] ?? letter;
    },
  );

const escapes: Readonly<Record<string, string>> = {
  b: "\b",
  e: "\u001B",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
};
