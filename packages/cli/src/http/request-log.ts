import { subscribe } from "node:diagnostics_channel";
import * as z from "zod/mini";
import { printable } from "../terminal/safe-text.ts";
import { writeLine } from "../terminal/write.ts";
import { errnoOf } from "./request-error.ts";

// What undici publishes. Headers and bodies are left unread: they hold the secrets.
const Started = z.object({
  request: z.object({ origin: z.string(), method: z.string(), path: z.string() }),
});
const Answered = z.object({ response: z.object({ statusCode: z.number() }) });
const Failed = z.object({ error: z.unknown() });

/** Logs every request of this process to stderr: method, address without its query, status, milliseconds. */
export const startRequestLog = (): void => {
  const startedAtMs = new WeakMap<object, number>();
  subscribe("undici:request:create", (message) => {
    const request = requestOf(message);
    if (request !== undefined) startedAtMs.set(request, performance.now());
    writeLine(`> ${addressOf(message)}`);
  });
  subscribe("undici:request:headers", (message) => {
    const read = Answered.safeParse(message);
    const outcome = read.success ? String(read.data.response.statusCode) : "answered";
    writeLine(`< ${outcome} ${addressOf(message)}${took(startedAtMs, message)}`);
  });
  subscribe("undici:request:error", (message) => {
    const read = Failed.safeParse(message);
    const errno = read.success ? errnoOf(read.data.error) : undefined;
    writeLine(`< failed${errno === undefined ? "" : ` (${errno})`} ${addressOf(message)}`);
  });
};

/** What a message is about, without queries: `GET https://host/path`. */
export const addressOf = (message: unknown): string => {
  const read = Started.safeParse(message);
  if (!read.success) return "a request";
  const { origin, method, path } = read.data.request;
  const place = path.split("?", 1)[0] ?? "";
  // A plain http request that goes through a proxy has the whole address for its path.
  const address = /^https?:\/\//u.test(place) ? place : `${origin}${place}`;
  return printable(`${method} ${address}`);
};

const requestOf = (message: unknown): object | undefined =>
  typeof message === "object" &&
  message !== null &&
  "request" in message &&
  typeof message.request === "object" &&
  message.request !== null
    ? message.request
    : undefined;

const took = (startedAtMs: WeakMap<object, number>, message: unknown): string => {
  const request = requestOf(message);
  const start = request === undefined ? undefined : startedAtMs.get(request);
  return start === undefined ? "" : ` ${Math.round(performance.now() - start)}ms`;
};
