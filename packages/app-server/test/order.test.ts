import { expect, it } from "vitest";
import { type LogEntry, notificationsBeforeTheirAnswer } from "./support/order.ts";

const start = { method: "account/login/start", params: { type: "apiKey" } };
const asked: LogEntry = { _tag: "Asked", ...start };
const answered: LogEntry = { _tag: "Answered", ...start, answer: { result: { type: "apiKey" } } };
const completed = (loginId: string | null): LogEntry => ({
  _tag: "Notified",
  method: "account/login/completed",
  params: { loginId },
});
const logout = { method: "account/logout", params: undefined };
const updated: LogEntry = {
  _tag: "Notified",
  method: "account/updated",
  params: { authMode: null },
};
const inBrowser: LogEntry = {
  ...answered,
  answer: { result: { type: "chatgpt", loginId: "id-1" } },
};

it.each<[string, number, ReadonlyArray<LogEntry>]>([
  ["a login that is answered first is in order", 0, [asked, answered, completed(null)]],
  ["the end of an API key login before its answer is not", 1, [asked, completed(null), answered]],
  ["the end of a browser login before its answer is not", 1, [asked, completed("id-1"), inBrowser]],
  ["the end of another client's login may come at any time", 0, [completed(null)]],
  [
    "a logout that is announced before its answer is not",
    1,
    [
      { _tag: "Asked", ...logout },
      updated,
      { _tag: "Answered", ...logout, answer: { result: {} } },
    ],
  ],
  ["another client's logout may come at any time", 0, [updated]],
])("in the replays, %s", (_, count, log) => {
  expect(notificationsBeforeTheirAnswer(log)).toHaveLength(count);
});
