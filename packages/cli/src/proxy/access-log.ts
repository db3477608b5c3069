import { printable } from "../terminal/safe-text.ts";

/** What the log shows of a request: no headers, bodies or queries, which may hold secrets. */
export interface Access {
  readonly method: string;
  /** As the client sent it; the query is cut off. */
  readonly url: string;
  /** The status that the client received; `null` if it disconnected before a response. */
  readonly status: number | null;
  readonly bytes: number;
  readonly startedAtMs: number;
  readonly endedAtMs: number;
  /** Why the provider did not respond. */
  readonly note?: string | undefined;
}

/** The user info of rejected requests in absolute form or with CONNECT: `http://name:secret@host/`, `name:secret@host:443`. */
const userinfo = /^((?:[a-z]+:\/\/)?)[^/]*@/iu;

/** Formats one line of the access log: `2026-04-13T12:00:00.123Z POST /responses 200 5120B 830ms`. */
export const accessLine = (access: Access): string => {
  const path = (access.url.split("?", 1)[0] ?? "").replace(userinfo, "$1");
  const words = [
    new Date(access.endedAtMs).toISOString(),
    access.method,
    path,
    access.status === null ? "aborted" : String(access.status),
    `${access.bytes}B`,
    `${Math.max(0, Math.round(access.endedAtMs - access.startedAtMs))}ms`,
    ...(access.note === undefined ? [] : [`(${access.note})`]),
  ];
  return printable(words.join(" "));
};
