/** Limits of replay protection. */
export interface ReplayLimits {
  /**
   * How often one assertion may be used. There is no default: timestamps have whole seconds, so an agent sends the same
   * assertion with all requests of a second, and 1 admits one request per second and task.
   */
  readonly maxUses: number;
  /**
   * How many different assertions of one agent are kept at a time. Default 20,000, which is enough for 66 processes of
   * the agent that send requests every second. The limit is per agent, so one agent cannot use up the space of another.
   */
  readonly maxAssertionsPerAgent?: number;
}

/** The limits with defaults. Throws `TypeError` or `RangeError` unless both are whole numbers of one or more. */
export const checkReplayLimits = (limits: ReplayLimits): Required<ReplayLimits> => {
  const { maxUses, maxAssertionsPerAgent = 20_000 } = limits;
  for (const [name, value] of Object.entries({ maxUses, maxAssertionsPerAgent })) {
    if (typeof value !== "number") throw new TypeError(`${name} must be a number`);
    if (!Number.isSafeInteger(value) || value < 1)
      throw new RangeError(`${name} must be a whole number of one or more`);
  }
  return { maxUses, maxAssertionsPerAgent };
};
