import type { RpcAnswer } from "../../src/methods/index.ts";

// The documented partial order of messages on one connection: the answer to a request comes before the notifications that
// it causes. Other notifications may come between any two answers.

/** What one client sent or received. */
export type LogEntry =
  | { readonly _tag: "Asked"; readonly method: string; readonly params: unknown }
  | {
      readonly _tag: "Answered";
      readonly method: string;
      readonly params: unknown;
      readonly answer: RpcAnswer;
    }
  | { readonly _tag: "Notified"; readonly method: string; readonly params: unknown };

/** Returns the notifications that came before the answer to the request of this client that caused them. */
export const notificationsBeforeTheirAnswer = (log: ReadonlyArray<LogEntry>): Array<string> =>
  log.flatMap((entry, index) => {
    if (entry._tag !== "Notified") return [];
    const before = log.slice(0, index);
    return isEarly(entry, before, log.slice(index)) ? [JSON.stringify(entry)] : [];
  });

const isEarly = (
  { method, params }: LogEntry & { readonly _tag: "Notified" },
  before: ReadonlyArray<LogEntry>,
  rest: ReadonlyArray<LogEntry>,
): boolean => {
  if (method === "account/login/completed") {
    const loginId = memberOf(params, "loginId");
    if (loginId === null) return answered(before, isStoredAtOnce) < count(before, method, null);
    // The answer that names the login is still to come.
    return rest.some(
      (entry) => entry._tag === "Answered" && startedLogin(entry.answer) === loginId,
    );
  }
  // Signing out is announced once it is answered. Without a request of this client, another one signed out.
  if (method === "account/updated" && memberOf(params, "authMode") === null)
    return asked(before, "account/logout") > 0 && answered(before, isLogout) === 0;
  return false;
};

type Answered = LogEntry & { readonly _tag: "Answered" };

const isLogout = ({ method }: Answered): boolean => method === "account/logout";

/** A login that is answered when its credential is stored. */
const isStoredAtOnce = ({ answer, method, params }: Answered): boolean =>
  method === "account/login/start" &&
  "result" in answer &&
  ["apiKey", "chatgptAuthTokens"].includes(String(memberOf(params, "type")));

const answered = (log: ReadonlyArray<LogEntry>, matches: (entry: Answered) => boolean): number =>
  log.filter((entry) => entry._tag === "Answered" && matches(entry)).length;

const asked = (log: ReadonlyArray<LogEntry>, method: string): number =>
  log.filter((entry) => entry._tag === "Asked" && entry.method === method).length;

/** Completed logins without an id up to the one in question, that this client started. */
const count = (log: ReadonlyArray<LogEntry>, method: string, loginId: null): number => {
  const isStart = (entry: LogEntry): boolean =>
    entry._tag === "Asked" && entry.method === "account/login/start";
  if (!log.some(isStart)) return 0; // another client signed in
  return (
    1 +
    log.filter(
      (entry) =>
        entry._tag === "Notified" &&
        entry.method === method &&
        memberOf(entry.params, "loginId") === loginId,
    ).length
  );
};

const startedLogin = (answer: RpcAnswer): unknown =>
  "result" in answer ? memberOf(answer.result, "loginId") : undefined;

const memberOf = (value: unknown, name: string): unknown =>
  typeof value === "object" && value !== null
    ? Object.entries(value).find(([key]) => key === name)?.[1]
    : undefined;
