/** What a number in an options object must be; both ends are allowed. */
export interface NumberRange {
  readonly min: number;
  /** Default `Number.MAX_SAFE_INTEGER`: infinity switches a guard off, so it has to be said as a number. */
  readonly max?: number;
}

/** The longest delay of a timer; a longer one fires at once. */
export const maxTimerMs = 2_147_483_647;

const checkRange = (name: string, value: number, range: NumberRange, kind: string): number => {
  const { min, max = Number.MAX_SAFE_INTEGER } = range;
  // Written so that NaN, which is neither under nor over anything, is refused.
  if (typeof value === "number" && value >= min && value <= max) return value;
  const expected = `${name} must be a ${kind} from ${min} to ${max}`;
  throw typeof value === "number" ? new RangeError(expected) : new TypeError(expected);
};

/**
 * A time given in options. A comparison with NaN is always false, so that a clock window or tolerance of NaN would let
 * everything through; a wrong number is a programmer's slip: `TypeError`, `RangeError`.
 */
export const checkTimeOption = (name: string, value: number, range: NumberRange): number =>
  checkRange(name, value, range, "number");

/** A count given in options: a whole number. Throws as `checkTimeOption` does. */
export const checkCountOption = (name: string, value: number, range: NumberRange): number => {
  const checked = checkRange(name, value, range, "whole number");
  if (Number.isInteger(checked)) return checked;
  throw new RangeError(`${name} must be a whole number`);
};

/** Seconds that an assertion may be old or early. Default 300. */
export const checkClockWindow = (clockWindowSeconds = 300): number =>
  checkTimeOption("clockWindowSeconds", clockWindowSeconds, { min: 0 });
