import type { Credential } from "@agent-auth/login/credential";
import type { PromiseCredentials } from "../../src/credentials/index.ts";

/** A manager that holds one credential and, at each recovery, moves on to the next of a list. */
export const managerOf = (
  first: Credential | null,
  ...successors: ReadonlyArray<Credential>
): PromiseCredentials & { readonly recoveries: () => number } => {
  let current = first;
  let recoveries = 0;
  const rest = [...successors];
  return {
    snapshot: () => current,
    current: () => Promise.resolve(current),
    recoverUnauthorized: (rejected) => {
      if (current !== null && current !== rejected) return Promise.resolve(current);
      recoveries++;
      const next = rest.shift() ?? null;
      if (next !== null) current = next;
      return Promise.resolve(next);
    },
    recoveries: () => recoveries,
  };
};

/** A manager whose load fails. */
export const brokenManager = (failure: Error): PromiseCredentials => ({
  current: () => Promise.reject(failure),
  recoverUnauthorized: () => Promise.reject(failure),
});

/** A manager in which `change` signs in another account, as another process would do. */
export const switching = (before: Credential, after: Credential) => {
  let current = before;
  const manager = {
    snapshot: () => current,
    current: () => Promise.resolve(current),
    recoverUnauthorized: () => Promise.resolve(after),
  };
  return {
    manager,
    change: (): void => {
      current = after;
    },
  };
};
