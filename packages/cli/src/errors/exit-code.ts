/** The exit codes of every command whose specification has no others. */
export const exitCode = {
  done: 0,
  failed: 1,
  /** Wrong usage, or cancelled with Ctrl-C. */
  usageOrCancelled: 2,
  signInNeeded: 4,
} as const;

export type ExitCode = number;
