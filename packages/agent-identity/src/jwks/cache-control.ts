/** What a response says about caching it (RFC 9111 §5.2.2). */
export interface Freshness {
  /** Milliseconds from now; null if the response states none. */
  readonly lifetimeMs: number | null;
  /** `no-store`: it must not be written anywhere. */
  readonly noStore: boolean;
  /** `must-revalidate`, `no-cache` or `no-store`: it must not be used past its lifetime. */
  readonly mustRevalidate: boolean;
}

const deltaSeconds = /^"?(\d{1,10})"?$/;

const seconds = (text: string | undefined): number | null => {
  const digits = deltaSeconds.exec(text?.trim() ?? "")?.[1];
  return digits === undefined ? null : Number(digits);
};

const parseDirectives = (cacheControl: string): ReadonlyMap<string, string> => {
  const found = new Map<string, string>();
  for (const part of cacheControl.split(",", 64)) {
    const [name = "", value = ""] = part.split("=", 2);
    const key = name.trim().toLowerCase();
    // RFC 9111 §4.2.1 lets a cache use the first of a repeated directive.
    if (key !== "" && !found.has(key)) found.set(key, value);
  }
  return found;
};

/** Reads `Cache-Control` and `Age`. The names in `headers` must be lower case. */
export const readFreshness = (headers: Readonly<Record<string, string>>): Freshness => {
  const directives = parseDirectives(headers["cache-control"] ?? "");
  const noStore = directives.has("no-store");
  const isUncached = noStore || directives.has("no-cache");
  const mustRevalidate = isUncached || directives.has("must-revalidate");
  if (isUncached) return { lifetimeMs: 0, noStore, mustRevalidate };
  const maxAge = seconds(directives.get("max-age"));
  if (maxAge === null) return { lifetimeMs: null, noStore, mustRevalidate };
  const age = seconds(headers["age"]) ?? 0;
  return { lifetimeMs: Math.max(0, maxAge - age) * 1000, noStore, mustRevalidate };
};
