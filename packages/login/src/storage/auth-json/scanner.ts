// A strict JSON reader (RFC 8259). `JSON.parse` accepts duplicate keys, rounds numbers and has no positions.

/** Thrown by `Scanner` and `readAuthJson` only, and caught by `parseAuthJson`; never seen outside. */
export class ScanFailure extends Error {
  readonly path: string;
  readonly offset: number;

  constructor(path: string, offset: number, reason: string) {
    super(reason);
    this.path = path;
    this.offset = offset;
  }
}

const MAX_DEPTH = 128;
// Ends before a backslash or a control character: strings with those are read by slower code.
// oxlint-disable-next-line no-control-regex -- JSON forbids them in strings (RFC 8259 §7)
const plainString = /"[^"\\\u0000-\u001f]*"/y;
const number = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;

/** Names that may be shown. Other text could be a secret that was written as a key by mistake. */
const plainName = /^(?!ey)[A-Za-z_][A-Za-z0-9_]{0,39}$/;

/** `tokens` and `id_token` make `tokens.id_token`; a key that is not a plain name becomes `[…]`. */
const joinPath = (parent: string, key: string): string => {
  if (!plainName.test(key)) return `${parent}[…]`;
  return parent === "" ? key : `${parent}.${key}`;
};

export class Scanner {
  readonly text: string;
  offset = 0;

  constructor(text: string) {
    this.text = text;
  }

  fail(path: string, reason: string, offset = this.offset): never {
    throw new ScanFailure(path, offset, reason);
  }

  /** What the next value is, by its first characters. */
  peek(): string {
    this.#skipSpace();
    const first = this.text[this.offset];
    switch (first) {
      case undefined:
        return "the end of the text";
      case "{":
        return "an object";
      case "[":
        return "an array";
      case '"':
        return "a string";
      case "n":
        return this.#mayBe("null") ? "null" : "something that is not JSON";
      case "t":
        return this.#mayBe("true") ? "a boolean" : "something that is not JSON";
      case "f":
        return this.#mayBe("false") ? "a boolean" : "something that is not JSON";
      default:
        return first === "-" || (first >= "0" && first <= "9")
          ? "a number"
          : "something that is not JSON";
    }
  }

  /** Whether the literal is here, or its beginning if the text ends within it. */
  #mayBe(literal: string): boolean {
    const here = this.text.slice(this.offset, this.offset + literal.length);
    const isCut = this.offset + literal.length > this.text.length;
    return here === literal || (isCut && literal.startsWith(here));
  }

  /** Fails unless the next value is of that kind; the value itself is not repeated. */
  expect(kind: string, path: string): void {
    const found = this.peek();
    if (found === kind) return;
    if (found === "the end of the text") this.fail(path, "is cut off");
    this.fail(path, `expected ${kind}, found ${found}`);
  }

  /** Calls `member` for each key, with the offset before its value; `member` has to consume the value. */
  object(path: string, member: (key: string, path: string) => void): void {
    this.expect("an object", path);
    this.offset++;
    const seen = new Set<string>();
    if (this.#take("}")) return;
    do {
      this.#skipSpace();
      const start = this.offset;
      if (this.peek() !== "a string") this.#unexpected(path, "a key in double quotes");
      const key = this.string(path);
      const keyPath = joinPath(path, key);
      if (seen.has(key)) this.fail(keyPath, "the key occurs twice", start);
      seen.add(key);
      if (!this.#take(":")) this.#unexpected(path, "a colon after a key");
      member(key, keyPath);
    } while (this.#take(","));
    if (!this.#take("}")) this.#unexpected(path, "a comma or }");
  }

  string(path: string): string {
    this.expect("a string", path);
    const start = this.offset;
    plainString.lastIndex = start;
    if (plainString.test(this.text)) {
      this.offset = plainString.lastIndex;
      return this.text.slice(start + 1, this.offset - 1);
    }
    let end = start + 1;
    for (let char = this.text.charCodeAt(end); char !== 34; char = this.text.charCodeAt(end)) {
      if (Number.isNaN(char)) this.fail(path, "is cut off", this.text.length);
      end += char === 92 ? 2 : 1;
    }
    this.offset = end + 1;
    try {
      const value: unknown = JSON.parse(this.text.slice(start, this.offset));
      if (typeof value === "string") return value;
    } catch {
      // falls through: the parser's own message would repeat the text
    }
    return this.fail(path, "the string has an invalid escape or a control character", start);
  }

  boolean(path: string): boolean {
    this.expect("a boolean", path);
    const value = this.text[this.offset] === "t";
    this.#literal(value ? "true" : "false", path);
    return value;
  }

  /** Consumes `null` and returns true, or consumes nothing and returns false. */
  takeNull(path: string): boolean {
    if (this.peek() !== "null") return false;
    this.#literal("null", path);
    return true;
  }

  /** Consumes any value and returns its text unchanged. */
  raw(path: string): string {
    this.#skipSpace();
    const start = this.offset;
    this.#skip(path, 1);
    return this.text.slice(start, this.offset);
  }

  /** Fails unless only white space is left. */
  end(): void {
    this.#skipSpace();
    if (this.offset < this.text.length) this.fail("", "there is text after the end of the object");
  }

  #skip(path: string, depth: number): void {
    if (depth > MAX_DEPTH) this.fail(path, "is nested too deeply");
    switch (this.peek()) {
      case "an object":
        return this.object(path, (_, keyPath) => this.#skip(keyPath, depth + 1));
      case "an array":
        return this.#skipArray(path, depth);
      case "a string":
        this.string(path);
        return;
      case "a boolean":
        this.boolean(path);
        return;
      case "null":
        return this.#literal("null", path);
      case "a number":
        number.lastIndex = this.offset;
        if (!number.test(this.text)) this.fail(path, "is not a JSON number");
        this.offset = number.lastIndex;
        return;
      default:
        this.#unexpected(path, "a value");
    }
  }

  #skipArray(path: string, depth: number): void {
    this.offset++;
    if (this.#take("]")) return;
    let index = 0;
    do this.#skip(`${path}[${index++}]`, depth + 1);
    while (this.#take(","));
    if (!this.#take("]")) this.#unexpected(path, "a comma or ]");
  }

  #literal(word: string, path: string): void {
    if (!this.text.startsWith(word, this.offset)) this.#unexpected(path, "a value");
    this.offset += word.length;
  }

  #take(char: string): boolean {
    this.#skipSpace();
    if (this.text[this.offset] !== char) return false;
    this.offset++;
    return true;
  }

  #unexpected(path: string, wanted: string): never {
    this.#skipSpace();
    if (this.offset >= this.text.length) this.fail(path, "is cut off");
    this.fail(path, `is not JSON: expected ${wanted}`);
  }

  #skipSpace(): void {
    for (;;) {
      const char = this.text.charCodeAt(this.offset);
      if (char !== 32 && char !== 10 && char !== 13 && char !== 9) return;
      this.offset++;
    }
  }
}
