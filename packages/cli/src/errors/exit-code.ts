/** What this program's exit codes mean, for every command that does not say otherwise. */
export const exitCode = {
  done: 0,
  failed: 1,
  /** A command line that makes no sense, or a person who pressed Ctrl-C. */
  usageOrCancelled: 2,
  signInNeeded: 4,
} as const;

export type ExitCode = number;
