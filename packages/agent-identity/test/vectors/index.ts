import { readFileSync } from "node:fs";
import * as z from "zod";

const read = (name: string): unknown =>
  JSON.parse(readFileSync(new URL(`./${name}`, import.meta.url), "utf8"));

const AgentKeyVectors = z.object({
  seed_hex: z.string(),
  agent_private_key: z.string(),
  agent_private_key_v2: z.string(),
  public_key_raw_base64: z.string(),
  public_key_ssh: z.string(),
  x25519_public_key_base64: z.string(),
  x25519_private_key_base64: z.string(),
  assertion: z.object({
    agent_runtime_id: z.string(),
    task_id: z.string(),
    timestamp: z.string(),
    signed_message: z.string(),
    signature_base64: z.string(),
    envelope_json: z.string(),
    authorization: z.string(),
  }),
  task_registration: z.object({
    agent_runtime_id: z.string(),
    timestamp: z.string(),
    signed_message: z.string(),
    body: z.object({ timestamp: z.string(), signature: z.string() }),
  }),
  sealed_task_id: z.object({ plaintext: z.string(), encrypted_task_id: z.string() }),
  bad: z.object({
    not_base64: z.string(),
    not_pkcs8: z.string(),
    rsa_pkcs8: z.string(),
    sealed_for_another_key: z.string(),
    v2_public_key_of_another_seed: z.string(),
  }),
});

const JwtVectors = z.object({
  issuer: z.string(),
  audience: z.string(),
  jwks: z.object({ keys: z.array(z.record(z.string(), z.unknown())) }),
  accept: z.array(
    z.object({
      name: z.string(),
      jwt: z.string(),
      record: z.optional(z.record(z.string(), z.unknown())),
      plan_type: z.optional(z.string()),
    }),
  ),
  reject: z.array(z.object({ name: z.string(), jwt: z.string(), reason: z.string() })),
});

/** Values made by other software, deterministic except for the sealed box. */
export const keyVectors = AgentKeyVectors.parse(read("agent-key.json"));
export const jwtVectors = JwtVectors.parse(read("agent-identity-jwt.json"));
