/**
 * Milliseconds for a request that is repeated if it fails, or that the caller can do without: keys, a refresh attempt, a
 * revocation. Servers answer these within a second; the rest is for a slow proxy.
 */
export const shortTimeoutMs = 10_000;

/**
 * Milliseconds for a request that cannot be repeated, because it spends a code or changes the account, and for one whose
 * answer the caller cannot do without. Codex waits as long for a code exchange and for a task.
 */
export const requestTimeoutMs = 30_000;

/** Milliseconds for the registration of an agent, and for the biscuit that it needs: as long as Codex waits. */
export const registrationTimeoutMs = 15_000;

/** The longest delay of a JavaScript timer in milliseconds. A timer with a longer one fires at once. */
export const maxTimerMs = 2_147_483_647;
