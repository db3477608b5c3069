import { inspect } from "node:util";
import { describe, expect, it } from "@effect/vitest";
import { makeAssertionSigner } from "../src/assertion/index.ts";
import {
  AssertionLookupFailed,
  AssertionMalformed,
  AssertionReplayed,
} from "../src/errors/index.ts";
import {
  type AssertionUse,
  createAssertionVerifier,
  generateAgentKey,
  importAgentPublicKey,
  parseAgentAssertion,
} from "../src/promises/index.ts";
import { untyped } from "./untyped.ts";

const setUp = async () => {
  const agentKey = await generateAgentKey();
  const signer = makeAssertionSigner({
    key: agentKey,
    agentRuntimeId: "agent-1",
    taskId: "task-1",
  });
  return { agentKey, header: signer.authorizationAt(Date.now()) };
};

describe("createAssertionVerifier", () => {
  it("accepts imported keys, 32 bytes and the SSH format", async () => {
    const { agentKey, header } = await setUp();
    const forms = [
      agentKey.sshPublicKey,
      agentKey.publicKeyRaw,
      await importAgentPublicKey(agentKey.sshPublicKey),
    ];
    for (const form of forms) {
      await using verifier = createAssertionVerifier({
        findPublicKey: async (id) => (id === "agent-1" ? form : null),
        isKnownTask: async ({ taskId }) => taskId === "task-1",
      });
      expect(await verifier.verify(header)).toMatchObject({
        agentRuntimeId: "agent-1",
        taskId: "task-1",
      });
    }
  });

  it.each([null, undefined])(
    "reports an unknown agent if findPublicKey returns %s",
    async (found) => {
      const { header } = await setUp();
      await using verifier = createAssertionVerifier({
        findPublicKey: async () => found,
        isKnownTask: null,
      });
      await expect(verifier.verify(header)).rejects.toMatchObject({
        code: "AGENT_IDENTITY_ASSERTION_AGENT_UNKNOWN",
      });
    },
  );

  it("counts uses and does not show a callback's error message", async () => {
    const { agentKey, header } = await setUp();
    await using counting = createAssertionVerifier({
      findPublicKey: async () => agentKey.publicKeyRaw,
      isKnownTask: null,
      clockWindowSeconds: 30,
      replays: { maxUses: 1 },
    });
    await counting.verify(header);
    await expect(counting.verify(header)).rejects.toBeInstanceOf(AssertionReplayed);
    await using failing = createAssertionVerifier({
      findPublicKey: () => Promise.reject(new Error("canary")),
      isKnownTask: null,
    });
    const error: unknown = await failing.verify(header).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(AssertionLookupFailed);
    expect(inspect(error, { depth: 9 })).not.toContain("canary");
    await using wrong = createAssertionVerifier({
      findPublicKey: async () => "ssh-rsa AAAA",
      isKnownTask: null,
    });
    await expect(wrong.verify(header)).rejects.toBeInstanceOf(AssertionLookupFailed);
  });

  it("accepts only the expected agent runtime", async () => {
    const { agentKey, header } = await setUp();
    await using verifier = createAssertionVerifier({
      findPublicKey: async () => agentKey.publicKeyRaw,
      isKnownTask: null,
    });
    await verifier.verify(header, { expectedAgentRuntimeId: "agent-1" });
    await expect(
      verifier.verify(header, { expectedAgentRuntimeId: "agent-2" }),
    ).rejects.toMatchObject({ expected: "agent-2", found: "agent-1" });
    await verifier.verify(header);
  });

  it("asks a shared replay store and rejects if it denies or fails", async () => {
    const { agentKey, header } = await setUp();
    const used: Array<AssertionUse> = [];
    const answers = [true, false, new Error("canary")];
    await using verifier = createAssertionVerifier({
      findPublicKey: async () => agentKey.publicKeyRaw,
      isKnownTask: null,
      clockWindowSeconds: 60,
      replays: async (use, signal) => {
        expect(signal.aborted).toBe(false);
        const answer = answers[used.push(use) - 1];
        if (answer instanceof Error) throw answer;
        return answer ?? false;
      },
    });
    const { timestampMs } = await verifier.verify(header);
    await expect(verifier.verify(header)).rejects.toBeInstanceOf(AssertionReplayed);
    await expect(verifier.verify(header)).rejects.toBeInstanceOf(AssertionLookupFailed);
    const [first, second] = used;
    expect(first).toEqual(second);
    expect(first).toMatchObject({ forgetAfterMs: timestampMs + 60_000 });
    expect(first?.key).toMatch(/^[\w-]{43}$/);
  });

  it.each([
    ["[]", "LOOKUP_FAILED"],
    ['"no"', "LOOKUP_FAILED"],
    ["1", "LOOKUP_FAILED"],
    ["{}", "LOOKUP_FAILED"],
    ["null", "TASK_MISMATCH"],
    ["false", "TASK_MISMATCH"],
  ])("rejects an assertion if isKnownTask returns %s: %s", async (answer, code) => {
    const { agentKey, header } = await setUp();
    await using verifier = createAssertionVerifier({
      findPublicKey: async () => agentKey.publicKeyRaw,
      // What a program without types may return.
      isKnownTask: () => JSON.parse(answer),
    });
    await expect(verifier.verify(header)).rejects.toMatchObject({
      code: `AGENT_IDENTITY_ASSERTION_${code}`,
    });
  });
});

describe("parseAgentAssertion", () => {
  it("parses a header or says what is wrong with it", async () => {
    const { header } = await setUp();
    expect(await parseAgentAssertion(header)).toMatchObject({ agentRuntimeId: "agent-1" });
    await expect(parseAgentAssertion("Bearer x")).rejects.toBeInstanceOf(AssertionMalformed);
  });
});

describe("the options of one call of verify", () => {
  const knowsNoTask = () =>
    createAssertionVerifier({
      findPublicKey: async () => agentKeyOf,
      isKnownTask: async () => false,
      clockWindowSeconds: 1,
    });
  let agentKeyOf: Uint8Array;

  it.each([
    ["isKnownTask", { isKnownTask: null }, "AGENT_IDENTITY_ASSERTION_TASK_MISMATCH", 0],
    [
      "clockWindowSeconds",
      { clockWindowSeconds: 1e6 },
      "AGENT_IDENTITY_ASSERTION_OUTSIDE_CLOCK_WINDOW",
      60_000,
    ],
  ])("cannot replace %s of the verifier", async (_, call, code, agoMs) => {
    const agentKey = await generateAgentKey();
    agentKeyOf = agentKey.publicKeyRaw;
    const signer = makeAssertionSigner({ key: agentKey, agentRuntimeId: "agent-1", taskId: "t" });
    await using verifier = knowsNoTask();
    const header = signer.authorizationAt(Date.now() - agoMs);
    await expect(verifier.verify(header, untyped(call))).rejects.toMatchObject({ code });
  });

  it.each([undefined, null, 1, {}])(
    "with %j as expectedAgentRuntimeId reject with a TypeError, and accept no agent",
    async (expectedAgentRuntimeId) => {
      const { header } = await setUp();
      await using verifier = knowsNoTask();
      await expect(
        verifier.verify(header, untyped({ expectedAgentRuntimeId })),
      ).rejects.toBeInstanceOf(TypeError);
    },
  );
});
