import { generateAgentKey, exportPkcs8 } from "@agent-auth/agent-identity/keys";
import { Authentication } from "@agent-auth/gateway/authentication";
import { AgentRegistry, makeMemoryRegistry, type AgentAccount } from "@agent-auth/gateway/registry";
import * as Clock from "effect/Clock";
import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import * as Redacted from "effect/Redacted";
import type { AuthorityClock } from "../steering/clock.ts";
import type { Account } from "./accounts.ts";

const nanosPerMilli = 1_000_000n;

/** Runs an effect by the authority's clock. Only the date differs: waiting takes real time. */
export const onAuthorityClock = <A, E, R>(
  clock: AuthorityClock,
  effect: Effect.Effect<A, E, R>,
): Effect.Effect<A, E, R> =>
  Clock.clockWith((real) => {
    const nowNanos = () => BigInt(Math.floor(clock.nowMs())) * nanosPerMilli;
    return Effect.provideService(effect, Clock.Clock, {
      currentTimeMillisUnsafe: clock.nowMs,
      currentTimeMillis: Effect.sync(clock.nowMs),
      currentTimeNanosUnsafe: nowNanos,
      currentTimeNanos: Effect.sync(nowNanos),
      monotonicTimeNanosUnsafe: () => real.monotonicTimeNanosUnsafe(),
      monotonicTimeNanos: real.monotonicTimeNanos,
      sleep: (duration) => real.sleep(duration),
    });
  });

/** The account as a gateway knows it. */
export const agentAccountOf = (account: Account): AgentAccount => ({
  accountId: account.accountId,
  userId: account.userId,
  email: account.email,
  planType: account.planType,
  isFedramp: account.isFedrampAccount,
});

/** The registered agents: a gateway's registry and authentication in memory, on the authority's clock. */
export class Agents {
  readonly #registry = makeMemoryRegistry();
  /** Two users of one workspace have the same account id, so the account of an agent is kept here. */
  readonly #accounts = new Map<string, Account>();
  readonly #clock: AuthorityClock;
  #authentication: Authentication["Service"] | undefined;

  constructor(clock: AuthorityClock) {
    this.#clock = clock;
  }

  get registry(): AgentRegistry["Service"] {
    return this.#registry.service;
  }

  /** Nothing is cached or limited: a test sees every change at once. */
  get authentication(): Authentication["Service"] {
    const layer = Authentication.layer({
      accountHeaders: "required",
      cache: { ttlMs: 0, unknownTtlMs: 0 },
      failuresPerSource: null,
    }).pipe(Layer.provide(Layer.succeed(AgentRegistry, this.registry)));
    return (this.#authentication ??= Effect.runSync(
      onAuthorityClock(
        this.#clock,
        Effect.scoped(Effect.map(Layer.build(layer), Context.get(Authentication))),
      ),
    ));
  }

  /** Registers an agent; one with this id is replaced. */
  add(agentRuntimeId: string, publicKey: string, account: Account): void {
    this.#registry.removeAgent(agentRuntimeId);
    this.#registry.addAgent({
      agentRuntimeId,
      publicKey,
      account: agentAccountOf(account),
      registeredAtMs: this.#clock.nowMs(),
    });
    this.claim(agentRuntimeId, account);
    this.#authentication?.forget(agentRuntimeId);
  }

  /** Remembers the account of an agent that an endpoint registered. */
  claim(agentRuntimeId: string, account: Account): void {
    this.#accounts.set(agentRuntimeId, account);
  }

  accountOf(agentRuntimeId: string): Account | undefined {
    return this.#accounts.get(agentRuntimeId);
  }

  /** Removes an agent with all its tasks. Returns whether it was known. */
  revoke(agentRuntimeId: string): boolean {
    this.#authentication?.forget(agentRuntimeId);
    return this.#registry.removeAgent(agentRuntimeId);
  }

  /** Without an id: every task of every agent. */
  revokeTask(taskId?: string): void {
    this.#authentication?.forget();
    if (taskId === undefined) this.#registry.revokeAllTasks();
    else
      for (const agentRuntimeId of this.#accounts.keys())
        this.#registry.revokeTask({ agentRuntimeId, taskId });
  }
}

/** A new Ed25519 key pair in the encodings of the protocol. */
export interface AgentKeyPair {
  readonly publicKeyRaw: Uint8Array;
  readonly sshPublicKey: string;
  /** Base64 (standard, padded) of PKCS#8 DER. */
  readonly privateKey: string;
}

// RFC 5958 OneAsymmetricKey around an Ed25519 seed (RFC 8410 §7), with both keys.
const version2 = Buffer.from("3051020101300506032b657004220420", "hex");
const publicKeyTag = Buffer.from("812100", "hex");
const seedAt = 16;

/** Generates a key pair; the version is that of the private key's PKCS#8 structure. */
export const makeAgentKeyPair = (version: 1 | 2): AgentKeyPair => {
  const key = Effect.runSync(generateAgentKey);
  const { publicKeyRaw, sshPublicKey } = key;
  const privateKey = Redacted.value(exportPkcs8(key));
  if (version === 1) return { publicKeyRaw, sshPublicKey, privateKey };
  const seed = Buffer.from(privateKey, "base64").subarray(seedAt);
  const der = Buffer.concat([version2, seed, publicKeyTag, publicKeyRaw]);
  return { publicKeyRaw, sshPublicKey, privateKey: der.toString("base64") };
};
