import { sign } from "node:crypto";
import * as Effect from "effect/Effect";
import * as Redacted from "effect/Redacted";
import {
  AgentPublicKeys,
  importAgentPublicKey,
  parseAgentAssertion,
  verifyAgentAssertion,
} from "../../src/assertion/verifier.ts";
import type { AgentIdentityError } from "../../src/errors/index.ts";
import { readFreshness } from "../../src/jwks/cache-control.ts";
import { parseRetryAfterMs } from "../../src/http/retry-after.ts";
import { JwksSource, parseJwks } from "../../src/jwks/index.ts";
import { decodeUnverifiedAgentIdentityJwt, verifyAgentIdentityJwt } from "../../src/jwt/index.ts";
import { exportPkcs8, generateAgentKey, importAgentKey } from "../../src/keys/index.ts";
import { makeAssertionSigner } from "../../src/assertion/index.ts";
import { parseAgentIdentityClaims, parseStoredAgentIdentity } from "../../src/record/index.ts";
import { sealToAgent, unsealWithAgentKey } from "../../src/keys/sealed-box.ts";
import { registerTask } from "../../src/tasks/index.ts";
import {
  isLoopbackUrl,
  jwksUrl,
  taskApiBaseUrl,
  taskRegistrationUrl,
} from "../../src/urls/index.ts";
import { answer, makeFakeTransport } from "../fake-transport.ts";
import { goodClaims, makeSigningKey, mint } from "../mint.ts";
import { changeMembers, mutate, type Random } from "./random.ts";

/** A function that reads untrusted text. */
export interface Target {
  readonly name: string;
  readonly input: (random: Random) => string;
  readonly read: (input: string) => Effect.Effect<unknown, AgentIdentityError>;
}

/** A secret that must not appear in any output, in any encoding of base64. */
export const canary = "canary-5d2f7a";

const json = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
};
const encode = (text: string): string => Buffer.from(text).toString("base64url");

/** A token with one part changed below its encoding, or the whole changed as text. */
const changedToken = (jwt: string, random: Random): string => {
  if (random.below(3) === 0) return mutate(jwt, random);
  const parts = jwt.split(".");
  const which = random.below(2);
  const clear = Buffer.from(parts[which] ?? "", "base64url").toString();
  const change = random.below(2) === 0 ? mutate : changeMembers;
  return parts.map((part, at) => (at === which ? encode(change(clear, random)) : part)).join(".");
};

/** Builds the targets with new keys, so that nothing depends on a particular key. */
export const makeTargets = async (): Promise<readonly [Target, ...ReadonlyArray<Target>]> => {
  const signing = makeSigningKey("key-1");
  const jwks = { keys: [signing.jwk, makeSigningKey("key-2").jwk] };
  const jwt = await mint(signing, { agent_private_key: canary, exp: 4e9, email: "u@example.com" });
  const agentKey = await Effect.runPromise(generateAgentKey);
  const publicKey = await Effect.runPromise(importAgentPublicKey(agentKey.sshPublicKey));
  const signer = makeAssertionSigner({
    key: agentKey,
    agentRuntimeId: "agent-1",
    taskId: "task-1",
  });
  const pkcs8 = Redacted.value(exportPkcs8(agentKey));
  const sealed = await Effect.runPromise(sealToAgent(agentKey.publicKeyRaw, "task-1"));
  const claims = JSON.stringify({ ...goodClaims, agent_private_key: canary });
  const first = JSON.stringify({
    workspace_id: "w",
    agent_runtime_id: "a",
    agent_private_key: canary,
  });
  const envelope = Buffer.from(
    signer.authorizationAt(Date.now()).slice(15),
    "base64url",
  ).toString();
  const secretEnvelope = envelope.replace("}", `,"x":"${canary}"}`);
  const signed = (header: string, payload: string): string => {
    const input = `${encode(header)}.${encode(payload)}`;
    return `${input}.${sign("sha256", Buffer.from(input), signing.privateKey).toString("base64url")}`;
  };
  const goodHeader = '{"alg":"RS256","kid":"key-1"}';
  const payload = JSON.stringify({ ...goodClaims, agent_private_key: canary, exp: 4e9 });
  const answers = [
    `{"task_id":"task-1","token":"${canary}"}`,
    `{"encrypted_task_id":"${sealed}"}`,
    `{"error":{"message":"you sent ${canary}"}}`,
    "<html><body>Bad gateway</body></html>",
  ] as const;
  const header = (random: Random): string =>
    `AgentAssertion ${encode(random.pick([mutate, changeMembers])(secretEnvelope, random))}`;

  return [
    {
      name: "token, unverified",
      input: (random) => changedToken(jwt, random),
      read: decodeUnverifiedAgentIdentityJwt,
    },
    {
      name: "token, verified",
      input: (random) => changedToken(jwt, random),
      read: (input) =>
        verifyAgentIdentityJwt(input).pipe(Effect.provide(JwksSource.layerStatic(jwks))),
    },
    {
      name: "token, changed and then signed",
      input: (random) =>
        random.below(4) === 0
          ? signed(changeMembers(goodHeader, random), payload)
          : signed(goodHeader, random.pick([mutate, changeMembers])(payload, random)),
      read: (input) =>
        verifyAgentIdentityJwt(input).pipe(Effect.provide(JwksSource.layerStatic(jwks))),
    },
    {
      name: "JWKS",
      input: (random) =>
        random.below(2) === 0
          ? mutate(JSON.stringify(jwks), random)
          : `{"keys":[${changeMembers(JSON.stringify(signing.jwk), random)}]}`,
      read: (input) =>
        Effect.flatMap(parseJwks(json(input)), (set) =>
          Effect.forEach(set.document.keys, ({ kid }) => set.key(kid)),
        ),
    },
    {
      name: "claims and records",
      input: (random) => random.pick([mutate, changeMembers])(random.pick([claims, first]), random),
      read: (input) =>
        Effect.andThen(
          Effect.exit(parseAgentIdentityClaims(json(input), { nowMs: 0 })),
          parseStoredAgentIdentity(json(input)),
        ),
    },
    {
      name: "assertion header",
      input: (random) => (random.below(2) === 0 ? header(random) : mutate(header(random), random)),
      read: (input) =>
        Effect.andThen(
          Effect.exit(parseAgentAssertion(input)),
          verifyAgentAssertion(input, { isKnownTask: null }).pipe(
            Effect.provide(AgentPublicKeys.layerMemory(new Map([["agent-1", publicKey]]))),
          ),
        ),
    },
    {
      name: "registration answer",
      input: (random) => mutate(random.pick(answers), random),
      read: (input) =>
        registerTask({
          record: { agentRuntimeId: "agent-1" },
          key: agentKey,
          taskApiBaseUrl: "https://authority.test",
          biscuit: Redacted.make(canary),
        }).pipe(
          Effect.provide(
            makeFakeTransport(() =>
              Effect.succeed(answer(input.length % 3 === 0 ? 403 : 200, input)),
            ).layer,
          ),
        ),
    },
    {
      name: "keys",
      input: (random) => mutate(random.pick([pkcs8, agentKey.sshPublicKey, sealed]), random),
      read: (input) =>
        Effect.all([
          Effect.exit(importAgentKey(Redacted.make(input))),
          Effect.exit(importAgentPublicKey(input)),
          unsealWithAgentKey(agentKey, input),
        ]),
    },
    {
      name: "URLs",
      input: (random) =>
        mutate(
          random.pick([
            "https://chatgpt.com/backend-api",
            "http://127.0.0.1:80/api/codex",
            "agent-1",
          ]),
          random,
        ),
      read: (input) =>
        Effect.all([
          Effect.exit(jwksUrl(input)),
          Effect.exit(taskRegistrationUrl("https://authority.test", input)),
          taskApiBaseUrl({
            chatgptBaseUrl: input,
            override: isLoopbackUrl(input) ? undefined : input,
          }),
        ]),
    },
    {
      name: "headers of answers",
      input: (random) =>
        mutate(
          random.pick([
            "public, max-age=60, must-revalidate",
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "120",
          ]),
          random,
        ),
      read: (input) =>
        Effect.sync(() => [
          readFreshness({ "cache-control": input, age: input }),
          parseRetryAfterMs(input, 0),
        ]),
    },
  ];
};
