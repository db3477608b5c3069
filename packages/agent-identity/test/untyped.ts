/** A value as a program without types would pass it: in any place, whatever its type. */
export const untyped = (value: unknown): never => value as never;
