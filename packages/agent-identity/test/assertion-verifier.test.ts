import { inspect } from "node:util";
import { describe, expect, it } from "@effect/vitest";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import * as TestClock from "effect/testing/TestClock";
import { makeAssertionSigner } from "../src/assertion/index.ts";
import {
  AgentPublicKeys,
  AssertionReplayStore,
  importAgentPublicKey,
  parseAgentAssertion,
  verifyAgentAssertion,
  type VerifyAssertionOptions,
} from "../src/assertion/verifier.ts";
import { AssertionLookupFailed } from "../src/errors/index.ts";
import { generateAgentKey } from "../src/keys/index.ts";
import { nowMs } from "./mint.ts";
import { keyVectors } from "./vectors/index.ts";

const anyTask: VerifyAssertionOptions = { isKnownTask: null };
const encode = (envelope: unknown) =>
  `AgentAssertion ${Buffer.from(typeof envelope === "string" ? envelope : JSON.stringify(envelope)).toString("base64url")}`;
const envelope = (header: string): Record<string, unknown> =>
  JSON.parse(Buffer.from(header.split(" ")[1] ?? "", "base64url").toString());

/** A registered agent, its signer, and a verifier with its public key. */
const setUp = Effect.gen(function* () {
  yield* TestClock.setTime(nowMs);
  const key = yield* generateAgentKey;
  const publicKey = yield* importAgentPublicKey(key.sshPublicKey);
  const keys = AgentPublicKeys.layerMemory(new Map([["agent-1", publicKey]]));
  const sign = (agentRuntimeId = "agent-1", taskId = "task-1", ms = nowMs) =>
    makeAssertionSigner({ key, agentRuntimeId, taskId }).authorizationAt(ms);
  const verify = (header: string, options = anyTask) =>
    verifyAgentAssertion(header, options).pipe(Effect.provide(keys));
  const refusal = (header: string, options = anyTask) => Effect.flip(verify(header, options));
  return { key, keys, sign, verify, refusal };
});

describe("verifyAgentAssertion", () => {
  it.effect("returns agent runtime, task and timestamp", () =>
    Effect.gen(function* () {
      const { sign, verify } = yield* setUp;
      expect(yield* verify(sign())).toEqual({
        agentRuntimeId: "agent-1",
        taskId: "task-1",
        timestampMs: nowMs,
      });
    }),
  );

  it.effect("accepts the scheme in any case and the keys in any order", () =>
    Effect.gen(function* () {
      const { sign, verify } = yield* setUp;
      const header = sign();
      yield* verify(header.replace("AgentAssertion ", "agentassertion   "));
      const turned = Object.fromEntries(Object.entries(envelope(header)).toReversed());
      yield* verify(encode(JSON.stringify(turned, null, 2)));
    }),
  );

  it.effect("accepts timestamps up to five minutes in the past or future", () =>
    Effect.gen(function* () {
      const { sign, verify, refusal } = yield* setUp;
      for (const offset of [-300_000, 300_000]) {
        yield* verify(sign("agent-1", "task-1", nowMs + offset));
        const over = nowMs + offset + Math.sign(offset) * 1000;
        expect(yield* refusal(sign("agent-1", "task-1", over))).toMatchObject({
          code: "AGENT_IDENTITY_ASSERTION_OUTSIDE_CLOCK_WINDOW",
          timestampMs: over,
          nowMs,
          windowSeconds: 300,
        });
      }
    }),
  );

  it.effect("uses the clock window of its options", () =>
    Effect.gen(function* () {
      const { sign, verify, refusal } = yield* setUp;
      const options = { ...anyTask, clockWindowSeconds: 1 };
      yield* verify(sign("agent-1", "task-1", nowMs - 1000), options);
      const late = yield* refusal(sign("agent-1", "task-1", nowMs - 2000), options);
      expect(late.code).toBe("AGENT_IDENTITY_ASSERTION_OUTSIDE_CLOCK_WINDOW");
    }),
  );

  it.effect("rejects an agent runtime id with a colon", () =>
    Effect.gen(function* () {
      const { key, sign } = yield* setUp;
      const publicKey = yield* importAgentPublicKey(key.sshPublicKey);
      const both = new Map([
        ["a", publicKey],
        ["a:b", publicKey],
      ]);
      const verify = (header: string) =>
        verifyAgentAssertion(header, anyTask).pipe(
          Effect.provide(AgentPublicKeys.layerMemory(both)),
        );
      const header = sign("a:b", "c");
      expect(yield* Effect.flip(verify(header))).toMatchObject({
        code: "AGENT_IDENTITY_ASSERTION_MALFORMED",
        problem: "agent_runtime_id must not contain a colon",
      });
      expect((yield* verify(sign("a", "b:c"))).taskId).toBe("b:c");
    }),
  );

  it.effect("rejects an unregistered agent", () =>
    Effect.gen(function* () {
      const { sign, refusal } = yield* setUp;
      expect(yield* refusal(sign("agent-2"))).toMatchObject({
        code: "AGENT_IDENTITY_ASSERTION_AGENT_UNKNOWN",
        agentRuntimeId: "agent-2",
      });
    }),
  );

  it.effect("rejects the signature of another key and of another message", () =>
    Effect.gen(function* () {
      const { sign, refusal } = yield* setUp;
      const other = yield* generateAgentKey;
      const forged = makeAssertionSigner({
        key: other,
        agentRuntimeId: "agent-1",
        taskId: "task-1",
      });
      const moved = { ...envelope(sign()), task_id: "task-2" };
      const aged = { ...envelope(sign()), timestamp: "2026-04-13T12:00:01Z" };
      for (const header of [forged.authorizationAt(nowMs), encode(moved), encode(aged)])
        expect((yield* refusal(header)).code).toBe("AGENT_IDENTITY_ASSERTION_SIGNATURE_INVALID");
    }),
  );

  it.effect("rejects an all-zero signature and S plus the group order", () =>
    Effect.gen(function* () {
      const { sign, refusal } = yield* setUp;
      const good = envelope(sign());
      const bytes = Buffer.from(String(good["signature"]), "base64");
      const order = 2n ** 252n + 27742317777372353535851937790883648493n;
      const s = BigInt(`0x${Buffer.from(bytes.subarray(32).toReversed()).toString("hex")}`) + order;
      const moved = Buffer.from(s.toString(16).padStart(64, "0"), "hex").toReversed();
      const malleable = Buffer.concat([bytes.subarray(0, 32), moved]);
      for (const signature of [Buffer.alloc(64), malleable])
        expect(
          (yield* refusal(encode({ ...good, signature: signature.toString("base64") }))).code,
        ).toBe("AGENT_IDENTITY_ASSERTION_SIGNATURE_INVALID");
    }),
  );

  it.effect("checks the task of the agent runtime after the signature", () =>
    Effect.gen(function* () {
      const { sign, verify, refusal } = yield* setUp;
      const asked: Array<string> = [];
      const options: VerifyAssertionOptions = {
        isKnownTask: ({ agentRuntimeId, taskId }) =>
          Effect.sync(() => {
            asked.push(`${agentRuntimeId}/${taskId}`);
            return taskId === "task-1";
          }),
      };
      yield* verify(sign(), options);
      expect(yield* refusal(sign("agent-1", "task-9"), options)).toMatchObject({
        code: "AGENT_IDENTITY_ASSERTION_TASK_MISMATCH",
        agentRuntimeId: "agent-1",
        taskId: "task-9",
      });
      yield* refusal(encode({ ...envelope(sign()), task_id: "task-7" }), options);
      expect(asked).toEqual(["agent-1/task-1", "agent-1/task-9"]);
    }),
  );

  it.effect("rejects an assertion of another agent than expected", () =>
    Effect.gen(function* () {
      const { sign, verify, refusal } = yield* setUp;
      yield* verify(sign(), { ...anyTask, expectedAgentRuntimeId: "agent-1" });
      expect(
        yield* refusal(sign(), { ...anyTask, expectedAgentRuntimeId: "agent-2" }),
      ).toMatchObject({
        code: "AGENT_IDENTITY_ASSERTION_AGENT_MISMATCH",
        expected: "agent-2",
        found: "agent-1",
      });
    }),
  );

  it.effect("fails with AssertionLookupFailed if a look-up fails", () =>
    Effect.gen(function* () {
      const { sign } = yield* setUp;
      const down = new AssertionLookupFailed({ service: "AgentPublicKeys", problem: "down" });
      const error = yield* Effect.flip(verifyAgentAssertion(sign(), anyTask)).pipe(
        Effect.provideService(AgentPublicKeys, { find: () => Effect.fail(down) }),
      );
      expect(error).toBe(down);
    }),
  );
});

describe("parseAgentAssertion", () => {
  const good = {
    agent_runtime_id: "agent-1",
    signature: keyVectors.assertion.signature_base64,
    task_id: "task-1",
    timestamp: "2026-04-13T12:00:00Z",
  };
  const text = JSON.stringify(good);

  it.effect.each([
    undefined,
    "",
    "AgentAssertion",
    "AgentAssertion ",
    "Bearer canary",
    `Bearer ${encode(good)}`,
    encode(good).replace(" ", ""),
    encode(good).replace(" ", "\t"),
    ` ${encode(good)}`,
    `${encode(good)} `,
    `${encode(good)}=`,
    `${encode(good)},x`,
    encode(good).replace(" e", " \u0165"),
    encode(good).replace(/.$/u, "\ud841"),
    encode(""),
    encode("canary"),
    encode("[]"),
    encode(`${text.slice(0, -1)},"task_id":"task-2"}`),
    encode({ ...good, agent_runtime_id: undefined }),
    encode({ ...good, agent_runtime_id: "" }),
    encode({ ...good, agent_runtime_id: "canary\n" }),
    encode({ ...good, task_id: 7 }),
    encode({ ...good, task_id: "canary\u0000" }),
    encode({ ...good, signature: "canary" }),
    encode({ ...good, signature: "AAAA" }),
    encode({ ...good, signature: good.signature.replaceAll("=", "") }),
    encode({ ...good, signature: ` ${good.signature}` }),
    encode({ ...good, timestamp: "2026-04-13T12:00:00.000Z" }),
    encode({ ...good, timestamp: "2026-04-13T12:00:00+00:00" }),
    encode({ ...good, timestamp: "2026-02-30T12:00:00Z" }),
    encode({ ...good, timestamp: "2026-04-13T25:00:00Z" }),
    encode({ ...good, timestamp: 1_776_081_600 }),
    encode({ ...good, filler: "canary".repeat(2000) }),
  ])("rejects %s", (header) =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(parseAgentAssertion(header));
      expect(error.code).toBe("AGENT_IDENTITY_ASSERTION_MALFORMED");
      expect(inspect(error, { depth: 9 })).not.toContain("canary");
    }),
  );

  it.effect("ignores unknown names", () =>
    Effect.gen(function* () {
      const read = yield* parseAgentAssertion(encode({ ...good, future: 1 }));
      expect(read).toEqual({
        agentRuntimeId: "agent-1",
        taskId: "task-1",
        timestamp: "2026-04-13T12:00:00Z",
        timestampMs: nowMs,
        signature: good.signature,
      });
    }),
  );
});

const withStore = (options: { readonly maxUses: number; readonly capacity?: number }) =>
  Effect.gen(function* () {
    const { sign, keys } = yield* setUp;
    const layer = Layer.merge(keys, AssertionReplayStore.layerMemory(options));
    return { sign, layer };
  });

describe("AssertionReplayStore", () => {
  it.effect("admits an assertion maxUses times", () =>
    Effect.gen(function* () {
      const { sign, layer } = yield* withStore({ maxUses: 2 });
      yield* Effect.gen(function* () {
        yield* verifyAgentAssertion(sign(), anyTask);
        yield* verifyAgentAssertion(sign(), anyTask);
        const error = yield* Effect.flip(verifyAgentAssertion(sign(), anyTask));
        expect(error).toMatchObject({
          code: "AGENT_IDENTITY_ASSERTION_REPLAYED",
          agentRuntimeId: "agent-1",
          taskId: "task-1",
        });
        yield* verifyAgentAssertion(sign("agent-1", "task-2"), anyTask);
        yield* verifyAgentAssertion(sign("agent-1", "task-1", nowMs + 1000), anyTask);
      }).pipe(Effect.provide(layer));
    }),
  );

  it.effect("keeps an assertion until the end of the clock window", () =>
    Effect.gen(function* () {
      const { sign, layer } = yield* withStore({ maxUses: 1 });
      yield* Effect.gen(function* () {
        yield* verifyAgentAssertion(sign(), anyTask);
        yield* TestClock.setTime(nowMs + 300_000);
        expect((yield* Effect.flip(verifyAgentAssertion(sign(), anyTask))).code).toBe(
          "AGENT_IDENTITY_ASSERTION_REPLAYED",
        );
      }).pipe(Effect.provide(layer));
    }),
  );

  it.effect("counts an assertion once for all encodings of its header", () =>
    Effect.gen(function* () {
      const { sign, layer } = yield* withStore({ maxUses: 1 });
      yield* Effect.gen(function* () {
        yield* verifyAgentAssertion(sign(), anyTask);
        const respelled = encode({ ...envelope(sign()), filler: 1 });
        expect((yield* Effect.flip(verifyAgentAssertion(respelled, anyTask))).code).toBe(
          "AGENT_IDENTITY_ASSERTION_REPLAYED",
        );
      }).pipe(Effect.provide(layer));
    }),
  );

  it.effect("keeps ids with colons apart when it counts", () =>
    Effect.gen(function* () {
      const { sign, keys } = yield* setUp;
      const counted: Array<string> = [];
      const store = Layer.succeed(
        AssertionReplayStore,
        AssertionReplayStore.of({
          admit: (key) => Effect.sync(() => counted.push(key) > 0),
        }),
      );
      yield* verifyAgentAssertion(sign("agent-1", "b:c"), anyTask).pipe(
        Effect.provide(Layer.merge(keys, store)),
      );
      // echo -n '["agent-1","b:c","2026-04-13T12:00:00Z"]' | sha256sum, as base64url
      expect(counted).toEqual(["QUtAKYfkonwk6LdwYXLHxzBIhoc5PAtS2o5_TwBJ4To"]);
    }),
  );

  it.effect("does not count a rejected assertion", () =>
    Effect.gen(function* () {
      const { sign, layer } = yield* withStore({ maxUses: 1 });
      yield* Effect.gen(function* () {
        const nothing = { isKnownTask: () => Effect.succeed(false) };
        yield* Effect.flip(verifyAgentAssertion(sign(), nothing));
        yield* verifyAgentAssertion(sign(), anyTask);
      }).pipe(Effect.provide(layer));
    }),
  );

  it.effect("fails when it is full and forgets expired assertions", () =>
    Effect.gen(function* () {
      const { sign, layer } = yield* withStore({ maxUses: 1, capacity: 1 });
      yield* Effect.gen(function* () {
        yield* verifyAgentAssertion(sign(), anyTask);
        const other = sign("agent-1", "task-2", nowMs + 300_000);
        expect((yield* Effect.flip(verifyAgentAssertion(other, anyTask))).code).toBe(
          "AGENT_IDENTITY_ASSERTION_LOOKUP_FAILED",
        );
        yield* TestClock.adjust(300_001);
        yield* verifyAgentAssertion(other, anyTask);
      }).pipe(Effect.provide(layer));
    }),
  );

  it.effect("forgets expired assertions after the clock was set back", () =>
    Effect.gen(function* () {
      const { sign, layer } = yield* withStore({ maxUses: 1, capacity: 2 });
      const use = (atMs: number) =>
        TestClock.setTime(atMs).pipe(
          Effect.andThen(verifyAgentAssertion(sign("agent-1", "task-1", atMs), anyTask)),
        );
      yield* Effect.gen(function* () {
        yield* use(nowMs);
        yield* use(nowMs - 3_600_000);
        yield* use(nowMs - 3_298_000);
      }).pipe(Effect.provide(layer));
    }),
  );
});
