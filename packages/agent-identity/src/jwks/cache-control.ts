/** What an answer says about keeping it (RFC 9111 §5.2.2). */
export interface Freshness {
  /** Milliseconds from now; null where the answer states none. */
  readonly lifetimeMs: number | null;
  /** `no-store`: it must not be written anywhere. */
  readonly noStore: boolean;
  /** `must-revalidate`, `no-cache` or `no-store`: past its lifetime it must not serve. */
  readonly mustRevalidate: boolean;
}

const deltaSeconds = /^"?(\d{1,10})"?$/;

const seconds = (text: string | undefined): number | null => {
  const digits = deltaSeconds.exec(text?.trim() ?? "")?.[1];
  return digits === undefined ? null : Number(digits);
};

const directives = (cacheControl: string): ReadonlyMap<string, string> => {
  const found = new Map<string, string>();
  for (const part of cacheControl.split(",", 64)) {
    const [name = "", value = ""] = part.split("=", 2);
    const key = name.trim().toLowerCase();
    // RFC 9111 §4.2.1 lets a cache believe the first of a repeated directive.
    if (key !== "" && !found.has(key)) found.set(key, value);
  }
  return found;
};

/** Reads `Cache-Control` and `Age`; headers are by lower-case name. */
export const readFreshness = (headers: Readonly<Record<string, string>>): Freshness => {
  const found = directives(headers["cache-control"] ?? "");
  const noStore = found.has("no-store");
  const isUncached = noStore || found.has("no-cache");
  const mustRevalidate = isUncached || found.has("must-revalidate");
  if (isUncached) return { lifetimeMs: 0, noStore, mustRevalidate };
  const maxAge = seconds(found.get("max-age"));
  if (maxAge === null) return { lifetimeMs: null, noStore, mustRevalidate };
  const age = seconds(headers["age"]) ?? 0;
  return { lifetimeMs: Math.max(0, maxAge - age) * 1000, noStore, mustRevalidate };
};
