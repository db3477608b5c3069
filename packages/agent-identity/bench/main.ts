// Verification compared with jose, signing compared with crypto.sign, and the modules that an import loads.
import { execFileSync } from "node:child_process";
import { createPrivateKey, sign } from "node:crypto";
import { readFileSync } from "node:fs";
import { makeBench } from "@agent-auth/tools/bench";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import * as Redacted from "effect/Redacted";
import { importJWK, jwtVerify } from "jose";
import { makeAssertionSigner } from "../src/assertion/index.ts";
import { HttpTransport } from "../src/http/index.ts";
import { JwksSource } from "../src/jwks/index.ts";
import { layer as remoteJwks } from "../src/jwks/remote.ts";
import { verifyAgentIdentityJwt } from "../src/jwt/index.ts";
import { importAgentKey } from "../src/keys/index.ts";

interface Vectors {
  readonly issuer: string;
  readonly audience: string;
  readonly jwks: { readonly keys: ReadonlyArray<{ readonly kid: string; readonly kty: string }> };
  readonly accept: ReadonlyArray<{ readonly jwt: string }>;
}

const vectors: Vectors = JSON.parse(
  readFileSync(new URL("../test/vectors/agent-identity-jwt.json", import.meta.url), "utf8"),
);
const { agent_private_key: pkcs8 }: { readonly agent_private_key: string } = JSON.parse(
  readFileSync(new URL("../test/vectors/agent-key.json", import.meta.url), "utf8"),
);
const [jwk] = vectors.jwks.keys;
const [first] = vectors.accept;
if (jwk === undefined || first === undefined) throw new Error("the vectors are empty");

const bench = makeBench("agent-identity");
const { issuer, audience } = vectors;
const { jwt } = first;

const key = await importJWK({ ...jwk }, "RS256");
const context = await Effect.runPromise(
  Effect.scoped(Layer.build(JwksSource.layerStatic(vectors.jwks))),
);
const run = Effect.runPromiseWith(context);
await bench.compare("verify with a cached key, against jose.jwtVerify", {
  reference: () =>
    jwtVerify(jwt, key, { issuer, audience, algorithms: ["RS256"], clockTolerance: 60 }),
  subject: () => run(verifyAgentIdentityJwt(jwt)),
  limit: 1.15,
  // Many short rounds: both wait for another thread, which a busy machine slows down in bursts.
  calls: 50,
  rounds: 600,
});

const agentKey = await Effect.runPromise(importAgentKey(Redacted.make(pkcs8)));
const signer = makeAssertionSigner({
  key: agentKey,
  agentRuntimeId: "agent-123",
  taskId: "task-123",
});
const nowMs = Date.UTC(2026, 3, 13, 12);
signer.authorizationAt(nowMs);
await bench.time(
  "a header in a second already signed",
  () => signer.authorizationAt(nowMs + 500),
  0.001,
);

const bareKey = createPrivateKey({
  key: Buffer.from(pkcs8, "base64"),
  format: "der",
  type: "pkcs8",
});
let second = 0;
await bench.compare("a header in a new second, against a bare crypto.sign", {
  reference: () =>
    sign(null, Buffer.from(`agent-123:task-123:2026-04-13T12:00:${second}Z`), bareKey),
  subject: () => signer.authorizationAt(nowMs + (second += 1) * 1000),
  limit: 1.2,
  rounds: 60,
});

let requests = 0;
const body = JSON.stringify(vectors.jwks);
const transport = Layer.succeed(
  HttpTransport,
  HttpTransport.of({
    request: () =>
      Effect.sync(() => {
        requests += 1;
        return { status: 200, statusText: "OK", headers: {}, body };
      }).pipe(Effect.delay(5)),
  }),
);
const cold = Layer.provide(remoteJwks({ url: "https://authority.test/jwks" }), transport);
const start = performance.now();
await Effect.runPromise(
  Effect.all(
    Array.from({ length: 1000 }, () => verifyAgentIdentityJwt(jwt)),
    {
      concurrency: "unbounded",
      discard: true,
    },
  ).pipe(Effect.provide(cold)),
);
const elapsed = `${(performance.now() - start).toFixed(0)} ms`;
bench.record(
  "1,000 concurrent verifications on a cold cache",
  `${requests} request, ${elapsed}`,
  "1 request",
  requests === 1,
);

const modules = ["jwt", "jwks", "jwks/remote", "jwks/cache", "urls"];
const script = `
  import { registerHooks } from "node:module";
  const urls = [];
  registerHooks({ load: (url, context, next) => (urls.push(url), next(url, context)) });
  for (const name of ${JSON.stringify(modules)}) await import("@agent-auth/agent-identity/" + name);
  process.stdout.write(String(urls.filter((url) => /node_modules\\/(undici|@noble)|sealed-box/.test(url)).length));`;
const flags = ["--conditions=@agent-auth/source", "--input-type=module", "--eval", script];
const heavy = execFileSync(process.execPath, flags, { cwd: import.meta.dirname })
  .toString()
  .trim();
bench.record(
  "modules of undici or the sealed box that the verify path loads",
  heavy,
  "0",
  heavy === "0",
);

bench.report();
