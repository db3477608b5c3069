import { printable } from "../terminal/safe-text.ts";

/** What the log keeps of a request. Neither headers, nor bodies, nor the query: all may hold secrets. */
export interface Access {
  readonly method: string;
  /** As the client sent it; the query is cut off. */
  readonly url: string;
  /** What the client got; `null` where it went away before an answer. */
  readonly status: number | null;
  readonly bytes: number;
  readonly startedAtMs: number;
  readonly endedAtMs: number;
  /** Why there was no answer from the provider. */
  readonly note?: string | undefined;
}

/** Of requests that are refused, in the absolute form or with CONNECT: `http://name:secret@host/`, `name:secret@host:443`. */
const userinfo = /^((?:[a-z]+:\/\/)?)[^/]*@/iu;

/** One line of the access log: `2026-04-13T12:00:00.123Z POST /responses 200 5120B 830ms`. */
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
