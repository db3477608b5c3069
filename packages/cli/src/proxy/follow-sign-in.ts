import type { Stamp } from "./stored-sign-in.ts";

/** How often the stored sign-in is looked at, at most. */
const LOOK_EVERY_MS = 1000;

export interface FollowedSignIn {
  /**
   * `null` where the sign-in that was loaded is still the stored one. Else a promise that ends when that is known, or
   * the stored one was loaded, whatever came of it: the signing after it knows. Requests that come meanwhile share it.
   */
  readonly changed: () => Promise<void> | null;
}

export interface FollowOptions {
  /** What tells one stored sign-in from another: `storedSignIn`. */
  readonly stamp: Stamp;
  /** What it was before anything was loaded. */
  readonly stampAtStart: string;
  /** Loads the stored sign-in; whether that went well. */
  readonly reload: () => Promise<boolean>;
  /** Milliseconds that only go up. Default: those of this process. */
  readonly nowMs?: () => number;
}

/**
 * Tells when another process signed in or out, or switched accounts. Looks when asked, once a second at most; what
 * could not be loaded is tried again at the next look.
 */
export const followSignIn = ({
  stamp,
  stampAtStart,
  reload,
  ...options
}: FollowOptions): FollowedSignIn => {
  const nowMs = options.nowMs ?? (() => performance.now());
  let seen: string | null = stampAtStart;
  let lookedAtMs = nowMs();
  let loading: Promise<void> | null = null;
  const load = async (found: string) => {
    const isLoaded = await reload();
    seen = isLoaded ? found : null;
  };
  const share = (work: Promise<void>) =>
    (loading = work.finally(() => {
      lookedAtMs = nowMs();
      loading = null;
    }));
  const look = () => {
    lookedAtMs = nowMs();
    const found = stamp();
    if (typeof found === "string") return found === seen ? null : share(load(found));
    return share(found.then((late) => (late === seen ? undefined : load(late))));
  };
  return {
    changed: () => loading ?? (nowMs() - lookedAtMs < LOOK_EVERY_MS ? null : look()),
  };
};
