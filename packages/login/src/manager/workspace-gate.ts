import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import type { Credential, WorkspaceCredential } from "../credential/index.ts";
import type { LoginError } from "../errors/index.ts";
import { compact } from "../internal/compact.ts";
import { fingerprint } from "../storage/fingerprint.ts";
import type { WorkspaceChecks } from "../workspace/index.ts";
import type { ManagerDeps, Operation } from "./deps.ts";
import { type MaybeCredential, secretOf } from "./state.ts";
import { codexHomeOf } from "./types.ts";

/** Checks the workspace of the manager's credential before a request is sent with it. */
export interface WorkspaceGate {
  /**
   * Returns a credential that requests may be sent with. A credential of a workspace gets its `workspace`; others pass at
   * once. If the backend rejects the credential itself, it is recovered, once.
   */
  readonly pass: (credential: MaybeCredential) => Effect.Effect<MaybeCredential, LoginError>;
  /** As `pass`, for a credential that was just recovered. */
  readonly passRecovered: WorkspaceGate["pass"];
  /** The credential that `pass` returned for this one; `None` if it did not. */
  readonly passed: (credential: MaybeCredential) => MaybeCredential;
  /** Made at first use. */
  readonly checks: Effect.Effect<WorkspaceChecks>;
}

/** Milliseconds for which a failure is repeated without a request, so that a failing backend is not flooded. */
const PAUSE_MS = 5_000;

interface Outcome {
  /** The manager's credential, without `workspace`. */
  readonly base: Credential;
  readonly result: Effect.Effect<MaybeCredential, LoginError>;
  readonly ready: MaybeCredential;
  readonly untilMs: number;
}

export const isWorkspaceCredential = (credential: Credential): credential is WorkspaceCredential =>
  credential._tag === "Chatgpt" ||
  credential._tag === "ExternalChatgpt" ||
  credential._tag === "PersonalAccessToken" ||
  (credential._tag === "WorkloadIdentity" && credential.backend === "chatgpt");

export const makeWorkspaceGate = ({
  deps,
  network,
  recover,
  shared,
}: {
  readonly deps: ManagerDeps;
  readonly network: string | undefined;
  readonly recover: (rejected: Credential) => Effect.Effect<MaybeCredential, LoginError>;
  readonly shared: (
    key: string,
    operation: Operation<MaybeCredential>,
  ) => Effect.Effect<MaybeCredential, LoginError>;
}): WorkspaceGate => {
  const { options } = deps;
  let made: WorkspaceChecks | undefined;
  // Loaded here, because a program with an API key or an agent identity does not need it.
  const checks = Effect.suspend(() =>
    made === undefined
      ? Effect.map(
          Effect.promise(() => import("../workspace/index.ts")),
          ({ makeWorkspaceChecks }) =>
            (made ??= makeWorkspaceChecks({
              config: options.config,
              codexHome: codexHomeOf(options),
              ...compact({ allowInsecureHttp: options.allowInsecureHttp, network }),
            })),
        )
      : Effect.succeed(made),
  );

  let last: Outcome | undefined;
  const remember = (base: Credential, ready: MaybeCredential, untilMs: number): MaybeCredential => {
    last = { base, ready, untilMs, result: Effect.succeed(ready) };
    return ready;
  };

  const check = (base: WorkspaceCredential, mayRecover: boolean): Operation<MaybeCredential> =>
    Effect.gen(function* () {
      const found = yield* Effect.result(Effect.flatMap(checks, (it) => it.check(base)));
      if (found._tag === "Success") {
        const workspace = found.success;
        return remember(base, Option.some({ ...base, workspace }), workspace.checkAgainAtMs);
      }
      const error = found.failure;
      if (mayRecover && error._tag === "WorkspaceCheckFailed" && error.status === 401) {
        const next = Option.getOrUndefined(yield* recover(base));
        if (next !== undefined && isWorkspaceCredential(next)) return yield* check(next, false);
      }
      const nowMs = yield* Clock.currentTimeMillis;
      const result = Effect.fail(error);
      last = { base, ready: Option.none(), untilMs: nowMs + PAUSE_MS, result };
      return yield* result;
    });

  const passWith =
    (mayRecover: boolean): WorkspaceGate["pass"] =>
    (maybe) => {
      const base = Option.getOrUndefined(maybe);
      if (base === undefined || !isWorkspaceCredential(base) || options.workspaceChecks === false)
        return Effect.succeed(maybe);
      return Effect.clockWith((clock) => {
        if (last?.base === base && clock.currentTimeMillisUnsafe() < last.untilMs)
          return last.result;
        const key = `workspace ${fingerprint(secretOf(base))} ${mayRecover}`;
        return shared(key, check(base, mayRecover));
      });
    };

  return {
    pass: passWith(true),
    passRecovered: passWith(false),
    passed: (maybe) => {
      const base = Option.getOrUndefined(maybe);
      if (base === undefined || !isWorkspaceCredential(base) || options.workspaceChecks === false)
        return maybe;
      return last?.base === base ? last.ready : Option.none();
    },
    checks,
  };
};
