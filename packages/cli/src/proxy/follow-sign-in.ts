import { statSync } from "node:fs";
import { join } from "node:path";
import type { Session } from "../session.ts";

/** How often the stored sign-in is looked at, at most. */
const LOOK_EVERY_MS = 1000;

export interface FollowedSignIn {
  /**
   * `null` where the sign-in that was loaded is still the stored one. Else a promise that ends when the stored one was
   * loaded, whatever came of it: the signing after it knows. Requests that come meanwhile share it.
   */
  readonly changed: () => Promise<void> | null;
}

export interface FollowOptions {
  /** What tells one stored sign-in from another: `storedSignIn`. */
  readonly stamp: () => string;
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
    lookedAtMs = nowMs();
    loading = null;
  };
  const look = () => {
    lookedAtMs = nowMs();
    const found = stamp();
    return found === seen ? null : (loading = load(found));
  };
  return {
    changed: () => loading ?? (nowMs() - lookedAtMs < LOOK_EVERY_MS ? null : look()),
  };
};

/**
 * The stored sign-in's file, by what changes whenever it is written or replaced. Where `auth.json` is a link, that is
 * the file which it leads to. The keyring has no such mark.
 */
export const storedSignIn = ({ environment }: Pick<Session, "environment">) => {
  const path = join(environment.codexHome.path, "auth.json");
  return (): string => {
    try {
      const stat = statSync(path, { bigint: true, throwIfNoEntry: false });
      return stat === undefined ? "" : `${stat.dev} ${stat.ino} ${stat.size} ${stat.mtimeNs}`;
    } catch (error) {
      return error instanceof Error && "code" in error ? String(error.code) : "unknown";
    }
  };
};
