import type { SignError } from "../errors.ts";

/** Whether something thrown is one of our typed errors, told by the shape that all of them share. */
export const isSignError = (error: unknown): error is SignError =>
  error instanceof Error &&
  "_tag" in error &&
  "hint" in error &&
  "code" in error &&
  typeof error.code === "string" &&
  /^(?:AGENT_IDENTITY|LOGIN|PROVIDER)_/.test(error.code);
