import { isMessage, type Message, type TranscriptEvent } from "./transcript.ts";

type Events = ReadonlyArray<TranscriptEvent>;

/** One deliberate difference from Codex 0.171, and how it changes what a recording leads to expect. */
export interface Deviation {
  readonly reason: string;
  readonly apply: (events: Events) => Events;
}

const messageOf = ({ msg }: TranscriptEvent): Message | undefined =>
  isMessage(msg) ? msg : undefined;

/** Replaces the answers with these keys (`A5`), in order of their occurrence. */
export const answers =
  (replaced: Readonly<Record<string, Message>>) =>
  (events: Events): Events =>
    events.map((event) => {
      const message = messageOf(event);
      const key = `${event.conn}${message?.id}`;
      const other = replaced[key];
      return event.dir === "<" && message?.method === undefined && other !== undefined
        ? { ...event, msg: { ...other, id: message?.id ?? null } }
        : event;
    });

/** Applies a change to the events of one server of the recording, counted from 1. */
export const inServer =
  (number: number, change: (events: Events) => Events) =>
  (events: Events): Events => {
    const ends = events.flatMap(({ note }, index) =>
      note === "exit" || note === "server exit" ? [index + 1] : [],
    );
    const from = number === 1 ? 0 : (ends[number - 2] ?? events.length);
    const to = ends[number - 1] ?? events.length;
    return [...events.slice(0, from), ...change(events.slice(from, to)), ...events.slice(to)];
  };

export const all =
  (...changes: ReadonlyArray<(events: Events) => Events>) =>
  (events: Events): Events =>
    changes.reduce((changed, change) => change(changed), events);

/** Drops the notifications of a method, all or the n-th ones (from 1). */
export const withoutSent =
  (method: string, ...which: ReadonlyArray<number>) =>
  (events: Events): Events => {
    let seen = 0;
    return events.filter((event) => {
      if (event.dir !== "<" || messageOf(event)?.method !== method) return true;
      seen += 1;
      return which.length > 0 && !which.includes(seen);
    });
  };

/** Drops requests with these keys (`A5`) and their answers. */
export const withoutRequests =
  (...keys: ReadonlyArray<string>) =>
  (events: Events): Events =>
    without(
      (event, message) =>
        message?.id !== undefined &&
        keys.includes(`${event.conn}${message.id}`) &&
        !(event.dir === "<" && message.method !== undefined),
    )(events);

/** Drops the events that match. */
export const without =
  (matches: (event: TranscriptEvent, message: Message | undefined) => boolean) =>
  (events: Events): Events =>
    events.filter((event) => !matches(event, messageOf(event)));

/** Adds events after the answer with this key. */
export const afterAnswer =
  (key: string, added: ReadonlyArray<Message>) =>
  (events: Events): Events =>
    events.flatMap((event) => {
      const message = messageOf(event);
      const isIt =
        event.dir === "<" && message?.method === undefined && `${event.conn}${message?.id}` === key;
      const { conn = "A" } = event;
      return isIt ? [event, ...added.map((msg) => ({ conn, dir: "<" as const, msg }))] : [event];
    });

export const updated = (authMode: string | null, planType: string | null = null): Message => ({
  method: "account/updated",
  params: { authMode, planType, reason: null },
});

export const invalid = (message: string): Message => ({ error: { code: -32600, message } });
