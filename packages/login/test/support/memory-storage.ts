import type { PromiseRefreshLock, PromiseStore } from "../../src/promises/index.ts";

/** Where a shared store is down, for the tests of what happens then. */
export type Operation = "load" | "save" | "remove" | "check" | "acquire" | "confirm" | "outcome";

/** A store and a lock that the "hosts" of one test process share, with faults to switch on. */
export interface MemoryStorage {
  /** The store and the lock as one host sees them. */
  readonly open: () => { readonly store: PromiseStore; readonly lock: PromiseRefreshLock };
  readonly content: () => string | null;
  /** Replaces what is stored, as another program would. */
  readonly write: (content: string | null) => void;
  /** These operations are refused from now on, as by a database that is down; all if none is named. */
  readonly goDown: (...operations: ReadonlyArray<Operation>) => void;
  readonly comeUp: () => void;
  /** Lets the lease that is held expire. */
  readonly expireLease: () => void;
  /** How often each operation was asked. */
  readonly calls: Readonly<Record<Operation, number>>;
}

const operations: ReadonlyArray<Operation> = [
  "load",
  "save",
  "remove",
  "check",
  "acquire",
  "confirm",
  "outcome",
];

export const openMemoryStorage = (first: string | null = null): MemoryStorage => {
  let versions = 1;
  let stored = first === null ? null : { content: first, version: "1" };
  let down: ReadonlySet<Operation> = new Set();
  let outcome: string | null = null;
  let [holder, tokens] = [0, 0];
  const waiting: Array<() => void> = [];
  const listeners = new Set<() => void>();
  const calls = { load: 0, save: 0, remove: 0, check: 0, acquire: 0, confirm: 0, outcome: 0 };

  const ask = (operation: Operation): void => {
    calls[operation]++;
    if (down.has(operation))
      throw Object.assign(new Error("connect to postgres://agent:secret@db failed"), {
        code: "ECONNREFUSED",
      });
  };
  const put = (content: string | null): void => {
    stored = content === null ? null : { content, version: String(++versions) };
    for (const listener of listeners) listener();
  };
  const isExpected = (expected: string | null | undefined) =>
    expected === undefined || (stored?.version ?? null) === expected;
  const free = (): void => {
    holder = 0;
    waiting.shift()?.();
  };

  /** Waits until the lease is free; `undefined` if the wait is given up. */
  const turn = async (signal: AbortSignal): Promise<number | undefined> => {
    if (holder === 0) return (holder = ++tokens);
    await new Promise<void>((resolve) => {
      waiting.push(resolve);
      signal.addEventListener("abort", () => resolve(), { once: true });
    });
    if (!signal.aborted) return turn(signal);
    if (holder === 0) waiting.shift()?.();
    return undefined;
  };

  const store: PromiseStore = {
    name: "memory",
    where: "db.example",
    load: async () => {
      ask("load");
      return stored;
    },
    save: async (content, { expected, fencingToken = tokens }) => {
      ask("save");
      if (fencingToken < tokens) return "leaseLost";
      if (!isExpected(expected)) return "conflict";
      put(content);
      return "saved";
    },
    remove: async ({ expected }) => {
      ask("remove");
      if (!isExpected(expected)) return "conflict";
      const wasStored = stored !== null;
      put(null);
      return wasStored ? "removed" : "absent";
    },
    checkWritable: async () => ask("check"),
    subscribe: (onChange) => {
      listeners.add(onChange);
      return () => listeners.delete(onChange);
    },
  };

  const lock: PromiseRefreshLock = {
    acquire: async ({ signal }) => {
      ask("acquire");
      const fencingToken = await turn(signal);
      if (fencingToken === undefined) return null;
      return {
        fencingToken,
        confirm: async () => {
          ask("confirm");
          return holder === fencingToken;
        },
        release: async () => {
          if (holder === fencingToken) free();
        },
      };
    },
    lastOutcome: async () => {
      ask("outcome");
      return outcome;
    },
    recordOutcome: async (text) => {
      ask("outcome");
      outcome = text;
    },
  };

  return {
    open: () => ({ store: { ...store }, lock: { ...lock } }),
    content: () => stored?.content ?? null,
    write: put,
    goDown: (...names) => {
      down = new Set(names.length === 0 ? operations : names);
    },
    comeUp: () => {
      down = new Set();
    },
    expireLease: free,
    calls,
  };
};
