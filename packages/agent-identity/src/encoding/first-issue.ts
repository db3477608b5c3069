import type * as z from "zod/mini";
import { kindOf } from "./printable.ts";

/** A complaint that names where and what kind, never the value. */
export interface Complaint {
  /** Dotted; empty for the value itself. */
  readonly path: string;
  readonly expected: string;
  readonly found: string;
}

const article = (noun: string): string => (/^[aeiou]/.test(noun) ? `an ${noun}` : `a ${noun}`);

const at = (value: unknown, path: ReadonlyArray<PropertyKey>): unknown =>
  path.reduce<unknown>(
    (inner, key) =>
      typeof inner === "object" && inner !== null && Object.hasOwn(inner, key)
        ? Reflect.get(inner, key)
        : undefined,
    value,
  );

/** The first thing that a schema found wrong with `value`. Messages of refinements serve as expectations. */
export const firstIssue = (error: z.core.$ZodError, value: unknown): Complaint => {
  const issue = error.issues[0];
  if (issue === undefined) return { path: "", expected: "another value", found: kindOf(value) };
  const expected = issue.code === "invalid_type" ? article(issue.expected) : issue.message;
  return { path: issue.path.join("."), expected, found: kindOf(at(value, issue.path)) };
};
