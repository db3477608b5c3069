import { nextStep } from "./next-step.ts";
import type { Reportable } from "./report-error.ts";
import { printable } from "./terminal/printable.ts";

/** An error in JSON answers, as documented in docs/json-output.md. */
export const errorJson = (error: Reportable) => ({
  code: error.code,
  message: printable(error.message),
  hint: nextStep(error) ?? null,
});
