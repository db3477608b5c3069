/** A command line that makes no sense. Ends in exit code 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
  /** The command that was called, for the pointer to its help. */
  readonly path: readonly string[];

  constructor(message: string, path: readonly string[] = []) {
    super(message);
    this.path = path;
  }
}
