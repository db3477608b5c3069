/** The default exit codes. A command's specification can define others. */
export const exitCode = {
  done: 0,
  failed: 1,
  /** Wrong usage, or cancelled with Ctrl-C. */
  usageOrCancelled: 2,
  signInNeeded: 4,
} as const;

export type ExitCode = number;
