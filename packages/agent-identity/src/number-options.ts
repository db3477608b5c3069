/** The range of a number in an options object; both ends are allowed. */
export interface NumberRange {
  readonly min: number;
  /** Default `Number.MAX_SAFE_INTEGER`. Infinity would disable a limit, so the default rejects it. */
  readonly max?: number;
}

const checkRange = (name: string, value: number, range: NumberRange, kind: string): number => {
  const { min, max = Number.MAX_SAFE_INTEGER } = range;
  // Written so that NaN, which compares false with everything, is rejected.
  if (typeof value === "number" && value >= min && value <= max) return value;
  const expected = `${name} must be a ${kind} from ${min} to ${max}`;
  throw typeof value === "number" ? new RangeError(expected) : new TypeError(expected);
};

/**
 * Returns a duration given in options. A comparison with NaN is always false, so a clock window or tolerance of NaN
 * would accept everything. Throws `TypeError` or `RangeError`, since a wrong number is a programming error.
 */
export const checkTimeOption = (name: string, value: number, range: NumberRange): number =>
  checkRange(name, value, range, "number");

/** Returns a count given in options: a whole number. Throws as `checkTimeOption` does. */
export const checkCountOption = (name: string, value: number, range: NumberRange): number => {
  const checked = checkRange(name, value, range, "whole number");
  if (Number.isInteger(checked)) return checked;
  throw new RangeError(`${name} must be a whole number`);
};
