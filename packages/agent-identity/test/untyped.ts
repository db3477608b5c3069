/** Returns a value with a type that fits anywhere, as a program without types would pass it. */
export function untyped(value: unknown): never;
export function untyped(value: unknown): unknown {
  return value;
}
