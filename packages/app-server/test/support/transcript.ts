import { readFileSync } from "node:fs";

/** A message as it was on the wire. */
export interface Message {
  readonly id?: string | number | null;
  readonly method?: string;
  readonly params?: unknown;
  readonly emittedAtMs?: number;
  readonly result?: unknown;
  readonly error?: { readonly code: number; readonly message: string; readonly data?: unknown };
}

export interface TranscriptEvent {
  readonly conn?: string;
  readonly dir?: ">" | "<";
  readonly msg?: Message | ReadonlyArray<unknown>;
  readonly raw?: string;
  readonly closed?: boolean;
  readonly note?: string;
  readonly value?: unknown;
}

export const isMessage = (msg: TranscriptEvent["msg"]): msg is Message =>
  msg !== undefined && !Array.isArray(msg);

/** A recorded flow of `codex app-server` 0.171. */
export interface Transcript {
  readonly flow: string;
  readonly about: string;
  readonly configToml?: string;
  readonly servers: ReadonlyArray<{ readonly env?: Readonly<Record<string, string>> }>;
  readonly events: ReadonlyArray<TranscriptEvent>;
}

export const loadTranscript = (flow: string): Transcript => {
  const url = new URL(`../transcripts/${flow}.json`, import.meta.url);
  const transcript: Transcript = JSON.parse(readFileSync(url, "utf8"));
  return transcript;
};

/** Values of a run by their placeholder, such as `<jwt 1>`. */
export type Bindings = Map<string, string>;

const placeholder = /<[^<>]+>/g;
/** Placeholders that stand for the same value wherever they occur. The others stand for anything. */
const isBound = (name: string): boolean => /^<(?:jwt|uuid|refresh-token) \d+>$/.test(name);

/** Replaces the placeholders of a recorded message by the values of this run. */
export const fill = (value: unknown, valueOf: (name: string) => string): unknown =>
  typeof value === "string"
    ? value.replace(placeholder, (name) => (isBound(name) ? valueOf(name) : name))
    : mapMembers(value, (member) => fill(member, valueOf));

const mapMembers = (value: unknown, map: (member: unknown) => unknown): unknown => {
  if (Array.isArray(value)) return value.map(map);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, map(member)]));
};

/**
 * Returns `actual` with the placeholders of `expected` in the places of the values that they stand for, so that the two are
 * equal if they match. Binds placeholders to the values of this run.
 */
export const normalise = (expected: unknown, actual: unknown, bindings: Bindings): unknown => {
  if (typeof expected === "string" && typeof actual === "string")
    return matches(expected, actual, bindings) ? expected : actual;
  if (Array.isArray(expected) && Array.isArray(actual))
    return actual.map((member, index) => normalise(expected[index], member, bindings));
  if (!isRecord(expected) || !isRecord(actual)) return actual;
  return Object.fromEntries(
    Object.entries(actual).map(([key, member]) => [
      key,
      normalise(expected[key], member, bindings),
    ]),
  );
};

/** `text` as a pattern for itself. */
const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\/-]/g, "\\$&");

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const matches = (expected: string, actual: string, bindings: Bindings): boolean => {
  const names = expected.match(placeholder) ?? [];
  if (names.length === 0) return expected === actual;
  const parts = expected.split(placeholder).map(escaped);
  const found = new RegExp(`^${parts.join("([^]+?)")}$`).exec(actual);
  if (found === null) return false;
  return names.every((name, index) => {
    const value = found[index + 1] ?? "";
    const bound = bindings.get(name);
    if (isBound(name) && bound === undefined) bindings.set(name, value);
    return !isBound(name) || bound === undefined || bound === value;
  });
};
