import type * as z from "zod/mini";

const unprintable = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\s]+/gu;

/**
 * Returns untrusted text made safe for one line of a log or terminal: runs of control, format and space characters become
 * one space, and at most `maxCharacters` Unicode characters are kept, the last one `…` if text was cut off.
 *
 * @example
 * ```ts
 * import { toSingleLine } from "@agent-auth/agent-identity/encoding";
 *
 * toSingleLine("not\nallowed\u001b[2J", 100); // "not allowed [2J"
 * toSingleLine("a long message", 8); // "a long …"
 * ```
 */
export const toSingleLine = (text: string, maxCharacters: number): string => {
  // Cuts by code units first, so that a long text is not processed only to keep a few characters.
  const head = text.slice(0, maxCharacters * 4).toWellFormed();
  const characters = Array.from(head.replace(unprintable, " ").trim());
  const isWhole = characters.length <= maxCharacters && text.length <= maxCharacters * 4;
  return isWhole ? characters.join("") : `${characters.slice(0, maxCharacters - 1).join("")}…`;
};

/**
 * Returns the type of a value in words, for errors that must not show the value itself.
 *
 * @example
 * ```ts
 * import { describeType } from "@agent-auth/agent-identity/encoding";
 *
 * describeType(null); // "null"
 * ```
 */
export const describeType = (value: unknown): string => {
  if (value === undefined) return "nothing";
  if (value === null) return "null";
  if (value === "") return "an empty string";
  if (Array.isArray(value)) return "an array";
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
};

const printableAscii = /^[\x20-\x7e]+$/;
const maxIdLength = 1024;

/** What `isId` accepts, in words, for errors. */
export const idExpectation = "non-empty printable ASCII";

/**
 * Whether a text may be an account, user, runtime or task id. Ids go into headers, paths and signed messages, so they
 * are printable ASCII without a space at either end, at most 1024 characters, and not `.` or `..`, which a URL resolves.
 *
 * @example
 * ```ts
 * import { isId } from "@agent-auth/agent-identity/encoding";
 *
 * isId("agent-123"); // true
 * ```
 */
export const isId = (text: unknown): text is string =>
  typeof text === "string" &&
  text.length <= maxIdLength &&
  printableAscii.test(text) &&
  !text.startsWith(" ") &&
  !text.endsWith(" ") &&
  text !== "." &&
  text !== "..";

/** A problem that a schema found: the path, the expected type and the type that was found, never the value. */
export interface SchemaIssue {
  /** Dotted; empty for the value itself. */
  readonly path: string;
  readonly expected: string;
  readonly found: string;
}

const withArticle = (noun: string): string => (/^[aeiou]/.test(noun) ? `an ${noun}` : `a ${noun}`);

const valueAt = (value: unknown, path: ReadonlyArray<PropertyKey>): unknown =>
  path.reduce<unknown>(
    (inner, key) =>
      typeof inner === "object" && inner !== null && Object.hasOwn(inner, key)
        ? Reflect.get(inner, key)
        : undefined,
    value,
  );

/** Returns the first problem that a schema found in `value`. The message of a refinement must say what it expects. */
export const firstSchemaIssue = (error: z.core.$ZodError, value: unknown): SchemaIssue => {
  const issue = error.issues[0];
  if (issue === undefined) {
    return { path: "", expected: "another value", found: describeType(value) };
  }
  const expected = issue.code === "invalid_type" ? withArticle(issue.expected) : issue.message;
  return {
    path: issue.path.join("."),
    expected,
    found: describeType(valueAt(value, issue.path)),
  };
};
