// Verification compared with the bare signature check, middleware compared with the same server without it, replay protection
// in Redis, and a flood of forged headers. Ratios are of the same run.
import { createPublicKey, verify } from "node:crypto";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { assertionMessage, makeAssertionSigner } from "@agent-auth/agent-identity/assertion";
import { decodeAgentAssertion } from "@agent-auth/agent-identity/assertion/verifier";
import { makeAgentIdentityJwtVerifier } from "@agent-auth/agent-identity/jwt/verifier";
import { generateAgentKey } from "@agent-auth/agent-identity/promises";
import { makeBench } from "@agent-auth/tools/bench";
import { importJWK, jwtVerify } from "jose";
import { createGateway } from "../src/promises/index.ts";
import { compareMiddleware } from "./middleware.ts";
import { measureFlood, measureIds } from "./hostile.ts";
import { measureRedis } from "./redis.ts";

const bench = makeBench("gateway");

const gateway = await createGateway({
  issuer: { issuer: "https://codex.example", keys: "memory" },
  cache: { ttlMs: 3_600_000 },
});
const key = await generateAgentKey();
const agentRuntimeId = "agent-0d5a1e04-7a0f-4d3e-9d3f-0a5f9b7c8d6e";
await gateway.addAgent({
  agentRuntimeId,
  publicKey: key.sshPublicKey,
  account: { accountId: "account-1" },
  registeredAtMs: Date.now(),
});
const timestamp = new Date().toISOString().replace(/\.\d+Z$/, "Z");
const registered = await gateway.handle(
  new Request(`https://codex.example/v1/agent/${agentRuntimeId}/task/register`, {
    method: "POST",
    body: JSON.stringify({ timestamp, signature: key.sign(`${agentRuntimeId}:${timestamp}`) }),
  }),
);
const body: unknown = await registered?.json();
const taskId = String(Reflect.get(Object(body), "task_id"));
const signer = makeAssertionSigner({ key, agentRuntimeId, taskId });

/** Headers of different seconds within the clock window, so that none is one that was verified already. */
const nowMs = Date.now();
const headers = Array.from({ length: 240 }, (_, second) =>
  signer.authorizationAt(nowMs - second * 1000),
);
await gateway.authenticate({ authorization: headers[0] });

const decoded = decodeAgentAssertion(headers[0]);
if ("_tag" in decoded) throw decoded;
const bare = {
  key: createPublicKey({
    key: { kty: "OKP", crv: "Ed25519", x: Buffer.from(key.publicKeyRaw).toString("base64url") },
    format: "jwk",
  }),
  message: Buffer.from(assertionMessage(agentRuntimeId, taskId, decoded.timestamp)),
  signature: Buffer.from(decoded.signature, "base64"),
};

/**
 * Rounds so short that most of them end before the machine switches to other work, after which the reference, one tight loop of
 * OpenSSL, has its code in the processor's caches again much sooner than the subject.
 */
const shortRounds = { calls: 4, rounds: 2500 };

let next = 0;
const verifyOnce = () => {
  // Its spelling differs each time, so that the header is not known.
  const spaces = " ".repeat(1 + (Math.floor(next / 240) % 100));
  const authorization = `AgentAssertion${spaces}${headers[next % 240]?.slice(15)}`;
  next += 1;
  const decision = gateway.decide({ authorization });
  if (decision instanceof Promise || decision instanceof Error) throw new Error("not verified");
};
await bench.compare("an assertion of a cached agent, against a bare crypto.verify", {
  reference: () => verify(null, bare.message, bare.key, bare.signature),
  subject: verifyOnce,
  limit: 1.2,
  ...shortRounds,
});

let repeated = "";
await bench.time(
  "a header that was verified before in its second",
  () => {
    repeated = signer.authorizationAt(Date.now());
    return gateway.decide({ authorization: repeated });
  },
  0.002,
);

const { jwt } = await gateway.mint({ account: { accountId: "account-1", email: "a@b.example" } });
const { keys } = await gateway.jwks();
const [jwk] = keys;
if (jwk === undefined) throw new Error("no key");
const issuer = "https://codex.example";
const audience = "codex-app-server";
const webKey = await importJWK({ ...jwk }, "RS256");
const verifier = makeAgentIdentityJwtVerifier({ keys }, { issuer, audience });
const verifyJwt = () => {
  const verified = verifier.verify(jwt, Date.now());
  if ("_tag" in verified) throw verified;
};
const joseOptions = { issuer, audience, algorithms: ["RS256"], clockTolerance: 60 };
const verifyWithJose = () => jwtVerify(jwt, webKey, joseOptions);
await bench.compare("an identity JWT, against jose.jwtVerify", {
  reference: verifyWithJose,
  subject: verifyJwt,
  limit: 0.7,
  calls: 50,
  rounds: 200,
});
const signingInput = jwt.slice(0, jwt.lastIndexOf("."));
const jwtSignature = jwt.slice(jwt.lastIndexOf(".") + 1);
const rsa = {
  key: createPublicKey({ key: { ...jwk }, format: "jwk" }),
  input: Buffer.from(signingInput),
  signature: Buffer.from(jwtSignature, "base64url"),
};
await bench.compare("an identity JWT, against a bare crypto.verify", {
  reference: () => verify("sha256", rsa.input, rsa.key, rsa.signature),
  subject: verifyJwt,
  limit: 1.3,
  ...shortRounds,
});

/** How long the event loop is late, p99 in milliseconds, while `work` is done 500 times a second. */
const loopDelay = async (work: () => unknown): Promise<number> => {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  for (let round = 0; round < 100; round += 1) {
    for (let count = 0; count < 5; count += 1) work();
    await new Promise<void>((resolve) => void setTimeout(resolve, 10));
  }
  delay.disable();
  return delay.percentile(99) / 1e6;
};
const idleMs = await loopDelay(() => undefined);
const joseMs = await loopDelay(verifyWithJose);
const ownMs = await loopDelay(verifyJwt);
bench.record(
  "event-loop delay with 500 identity JWTs a second, p99",
  `${ownMs.toFixed(2)} ms (jose.jwtVerify, on other threads: ${joseMs.toFixed(2)} ms; without any: ${idleMs.toFixed(2)} ms)`,
  "≤ 1 ms more than jose.jwtVerify or 2 ×",
  ownMs <= Math.max(joseMs + 1, joseMs * 2),
);
await gateway.close();

await compareMiddleware(bench);
await measureRedis(bench);
await measureFlood(bench);
await measureIds(bench);
bench.report();
