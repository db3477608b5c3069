import * as z from "zod/mini";

// Schemas for responses of the account's backend. Members that are absent or of another type count as unknown, since newer
// backends may change them.

export const nullish = <A extends z.ZodMiniType>(schema: A) =>
  z.catch(z.optional(z.nullable(schema)), undefined);
export const text = nullish(z.string());
export const integer = nullish(z.int());
export const flag = nullish(z.boolean());
/** A time as RFC 3339 writes it, as Unix seconds. */
export const seconds = z.pipe(
  z.string().check(z.refine((time) => !Number.isNaN(Date.parse(time)))),
  z.transform((time) => Math.floor(Date.parse(time) / 1000)),
);
export const time = nullish(seconds);
