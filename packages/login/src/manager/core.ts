import type { HttpTransport } from "@agent-auth/agent-identity/http";
import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import { encodeAuthJson, type AuthDocument } from "../storage/auth-json/index.ts";
import type { CredentialStore } from "../storage/index.ts";
import type { Credential } from "../credential/index.ts";
import { CredentialForbidden, type LoginError } from "../errors/index.ts";
import type { HomeLock, HomeLockHeld } from "../storage/lock/index.ts";
import { checkRestrictions } from "../config/restrictions.ts";
import type { AgentIdentities } from "../agents/identities.ts";
import type { Rejections } from "./rejections.ts";
import type { AuthManagerOptions } from "./types.ts";
import type { CredentialCell } from "./credential-cell.ts";
import type { ExternalSlot } from "./external.ts";
import { loadFinding } from "./load-credential.ts";
import { findCredential, sourcesInOrder } from "./sources.ts";

/** What the operations of one manager share. Whoever changes the cell or the stores holds the manager's turn. */
export interface Core {
  readonly options: AuthManagerOptions;
  readonly store: CredentialStore["Service"];
  /** Process memory; the same as `store` where that is what is configured. */
  readonly ephemeral: CredentialStore["Service"];
  readonly lock: HomeLock["Service"];
  readonly agents: Effect.Effect<AgentIdentities, LoginError>;
  readonly external: ExternalSlot;
  readonly rejections: Rejections;
  readonly cell: CredentialCell;
}

export type MaybeCredential = Option.Option<Credential>;

/** An operation of a manager; what it sends goes through the manager's transport. */
export type Operation<A> = Effect.Effect<A, LoginError, HttpTransport>;

/** Asks the sources, loads what the first of them holds, and checks it against the restrictions. */
export const loadCredential = Effect.fn("AuthManager.load")(function* (
  core: Core,
): Effect.fn.Return<MaybeCredential, LoginError, HttpTransport> {
  const finding = yield* findCredential(
    sourcesInOrder({ ...core, external: core.external.source }),
  );
  if (Option.isNone(finding)) return Option.none();
  const credential = yield* loadFinding(
    { environment: core.options.environment, agents: core.agents },
    finding.value,
  );
  const seen = finding.value._tag === "Document" ? finding.value.document : undefined;
  return Option.some(yield* enforceRestrictions(core, credential, seen));
});

/**
 * Lets an allowed credential pass. A forbidden one is removed from every store, unless it came from the environment:
 * that is refused, and nothing on disk is touched on its account (docs/protocol.md §10). `seen` is the document that
 * it was loaded from or renewed into: where another process has replaced that since, the new one stays.
 */
export const enforceRestrictions = Effect.fnUntraced(function* <A extends Credential>(
  core: Core,
  credential: A,
  seen?: AuthDocument,
): Effect.fn.Return<A, CredentialForbidden> {
  return yield* checkRestrictions(core.options.config, credential).pipe(
    Effect.as(credential),
    Effect.catch((forbidden) =>
      Effect.flatMap(removeForbidden(core, credential, seen), (loggedOut) =>
        Effect.fail(
          loggedOut ? new CredentialForbidden({ ...fieldsOf(forbidden), loggedOut }) : forbidden,
        ),
      ),
    ),
  );
});

const fieldsOf = ({ text, rule, source }: CredentialForbidden) => ({ text, rule, source });

const removeForbidden = (
  core: Core,
  credential: Credential,
  seen: AuthDocument | undefined,
): Effect.Effect<boolean> => {
  if (credential.source._tag === "Environment") return Effect.succeed(false);
  const { load } = credential.source._tag === "Ephemeral" ? core.ephemeral : core.store;
  const isReplaced = Effect.map(load, (stored) =>
    seen !== undefined && Option.isSome(stored)
      ? encodeAuthJson(stored.value.document) !== encodeAuthJson(seen)
      : false,
  );
  const remove = Effect.flatMap(isReplaced, (isReplaced) =>
    isReplaced ? Effect.succeed(false) : removeEverywhere(core),
  );
  return core.lock
    .withLock(remove)
    .pipe(
      Effect.catch((error) =>
        Effect.as(
          Effect.logWarning(`forbidden credentials could not be removed: ${error.message}`),
          false,
        ),
      ),
    );
};

/** Empties every store, the external slot included. True if anything was there. */
export const removeEverywhere = (core: Core): Effect.Effect<boolean, LoginError, HomeLockHeld> =>
  Effect.gen(function* () {
    const hadExternal = core.external.isSet();
    core.external.set(null);
    const fromMemory = core.ephemeral === core.store ? false : yield* core.ephemeral.remove;
    return (yield* core.store.remove) || fromMemory || hadExternal;
  });
