/** The command line is not valid. The process ends with exit code 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
  /** The command that was called; the error line points to its help. */
  readonly path: readonly string[];

  constructor(message: string, path: readonly string[] = []) {
    super(message);
    this.path = path;
  }
}

/**
 * Returns a word of the command line for use in an error: unchanged if it looks like a word or a path, otherwise `***`,
 * because it could be a key, a token or a password in the wrong position.
 */
export const redactWord = (word: string): string =>
  /^[a-z][a-z./_-]{0,19}$/iu.test(word) && !secretPrefix.test(word) ? word : "***";

const secretPrefix = /^(?:sk|at|rt|pk)[._-]|^eyJ/u;
