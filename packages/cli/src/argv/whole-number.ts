import { UsageError } from "./usage-error.ts";

/** @throws UsageError where the text is no whole number, or out of bounds */
export const wholeNumber = (
  flag: string,
  text: string,
  bounds: {
    readonly min: number;
    readonly max: number;
    /** The command, for the pointer to its help. */
    readonly path: readonly string[];
  },
): number => {
  const value = /^\d{1,9}$/u.test(text) ? Number(text) : Number.NaN;
  if (value >= bounds.min && value <= bounds.max) return value;
  throw new UsageError(
    `${flag} takes a whole number from ${bounds.min} to ${bounds.max}`,
    bounds.path,
  );
};
