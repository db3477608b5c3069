import type { Credential } from "@agent-auth/login/credential";
import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import { isSameSignIn, updatedTo, workspaceOf } from "./account-info.ts";
import { makeEventSource } from "./events.ts";
import type { AccountManager } from "./types.ts";

/** What clients are told about logins and the credential, and which credential they know of. */
export class Announcements {
  readonly source = makeEventSource();
  readonly #manager: Pick<AccountManager, "snapshot">;
  /**
   * The credential that clients know of; `undefined` before the first operation. A change that no operation of the service
   * made is another program's, or a refresh.
   */
  #announced: Credential | null | undefined;
  /** The last sign-in whose workspace clients were notified of. */
  #routed: Credential | null = null;
  #loginsBeingStored = 0;

  constructor(manager: Pick<AccountManager, "snapshot">) {
    this.#manager = manager;
  }

  get current(): Credential | null {
    return Option.getOrNull(this.#manager.snapshot());
  }

  /** Notifies clients of the current credential. */
  announce(): void {
    const now = this.current;
    this.#announced = now;
    this.#routed = now;
    this.source.emit({ method: "account/updated", params: updatedTo(now) });
  }

  /** The current credential is announced later, by the operation that made it current. */
  postpone(): void {
    this.#announced = this.current;
    this.#routed = this.#announced;
  }

  announceLogout(): void {
    const now = this.current;
    this.#announced = now;
    this.source.emit({ method: "account/updated", params: updatedTo(now, null) });
  }

  /** Notifies clients that a login ended. `error` is null if its credential was stored. */
  announceCompleted(loginId: string | null, error: string | null): void {
    const params = { loginId, success: error === null, error, onboardingEntrypoint: null };
    this.source.emit({ method: "account/login/completed", params });
  }

  /** Notifies clients that the backend was asked about the workspace of a sign-in for the first time. */
  announceRouting(credential: Credential | null): void {
    if (credential === null || workspaceOf(credential) === undefined) return;
    if (isSameSignIn(this.#routed, credential)) return;
    this.#routed = credential;
    this.source.emit({
      method: "account/updated",
      params: { ...updatedTo(credential), reason: "workspaceRoutingReady" },
    });
  }

  /** Notifies clients of a change that no operation of the service made. */
  announceChange(): void {
    const now = this.current;
    if (this.#loginsBeingStored > 0 || now === this.#announced) return;
    // Clients never get the token of a workload identity, and the owner of lent tokens refreshed them itself.
    const isQuiet = now?._tag === "ExternalChatgpt" || now?._tag === "WorkloadIdentity";
    const isRefresh = isQuiet && isSameSignIn(this.#announced ?? null, now);
    if (isRefresh) this.#announced = now;
    else this.announce();
  }

  /**
   * After an operation that may have refreshed the credential: the client that asked for it gets the result, so no
   * event is sent.
   */
  adoptRefresh(): void {
    const now = this.current;
    if (this.#announced === undefined || isSameSignIn(this.#announced, now)) this.#announced = now;
  }

  /** Runs the storing of a login, which announces its credential itself, after `account/login/completed`. */
  whileStored<A, E>(stored: Effect.Effect<A, E>): Effect.Effect<A, E> {
    return Effect.suspend(() => {
      this.#loginsBeingStored += 1;
      return Effect.ensuring(
        stored,
        Effect.sync(() => {
          this.#loginsBeingStored -= 1;
          this.announceChange();
        }),
      );
    });
  }
}
