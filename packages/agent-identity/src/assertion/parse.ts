import * as Effect from "effect/Effect";
import * as z from "zod/mini";
import { decodeBase64, decodeBase64Url } from "../encoding/base64.ts";
import { type JsonObject, parseJsonObject } from "../encoding/json.ts";
import { parseRfc3339Second } from "../encoding/rfc3339.ts";
import { describeType, firstSchemaIssue, idExpectation, isId } from "../encoding/text.ts";
import { AssertionMalformed } from "../errors/index.ts";

/** A parsed assertion. Nothing in it has been verified. */
export interface UnverifiedAgentAssertion {
  readonly agentRuntimeId: string;
  readonly taskId: string;
  /** As it was signed: RFC 3339, whole seconds, `Z`. */
  readonly timestamp: string;
  /** The same in milliseconds since the epoch. */
  readonly timestampMs: number;
  /** Base64 (standard, padded) of 64 bytes. */
  readonly signature: string;
}

/** Far above any valid header; HTTP servers accept about 16 KiB for all headers together. */
const maxHeaderLength = 8192;
/** RFC 9110 §11.1: schemes are case-insensitive, then one or more spaces. */
const scheme = /^agentassertion +/i;

const id = z.string().check(z.refine(isId, idExpectation));
const Envelope = z.object({
  agent_runtime_id: id,
  signature: z
    .string()
    .check(z.refine((text: string) => decodeBase64(text)?.length === 64, "base64 of 64 bytes")),
  task_id: id,
  timestamp: z
    .string()
    .check(
      z.refine((text: string) => parseRfc3339Second(text) !== null, "RFC 3339, whole seconds, Z"),
    ),
});

const envelopeBytes = (header: unknown): Buffer | string => {
  if (header === undefined || header === null) return "there is no Authorization header";
  if (typeof header !== "string") return `it must be a string, found ${describeType(header)}`;
  if (header.length > maxHeaderLength) return `it is longer than ${maxHeaderLength} characters`;
  const prefix = scheme.exec(header)?.[0];
  if (prefix === undefined) return "its scheme is not AgentAssertion";
  return decodeBase64Url(header.slice(prefix.length)) ?? "its envelope is not base64url";
};

/** The envelope's members if all are valid. By hand: a schema takes as long as a quarter of an Ed25519 verification. */
const readEnvelope = (json: JsonObject): UnverifiedAgentAssertion | null => {
  const { agent_runtime_id: agentRuntimeId, task_id: taskId, timestamp, signature } = json;
  if (!isId(agentRuntimeId) || !isId(taskId)) return null;
  if (typeof timestamp !== "string" || typeof signature !== "string") return null;
  const timestampMs = parseRfc3339Second(timestamp);
  if (timestampMs === null || decodeBase64(signature)?.length !== 64) return null;
  return { agentRuntimeId, taskId, timestamp, timestampMs, signature };
};

/** What the schema finds wrong with an envelope that `readEnvelope` rejected. */
const problemOf = (json: JsonObject): string => {
  const { error } = Envelope.safeParse(json);
  if (error === undefined) return "its envelope is invalid";
  const { path, expected, found } = firstSchemaIssue(error, json);
  return `${path} must be ${expected}, found ${found}`;
};

/**
 * Decodes the value of an `Authorization: AgentAssertion …` header without verifying it, or returns what is wrong with it.
 * The same as `parseAgentAssertion` without an Effect, for servers that check many headers a second.
 *
 * @example
 * ```ts
 * import { decodeAgentAssertion } from "@agent-auth/agent-identity/assertion/verifier";
 *
 * const decoded = decodeAgentAssertion("Bearer token");
 * if ("_tag" in decoded) console.error(decoded.message); // "agent assertion is malformed: its scheme is not AgentAssertion"
 * ```
 */
export const decodeAgentAssertion = (
  header: string | null | undefined,
): UnverifiedAgentAssertion | AssertionMalformed => {
  const bytes = envelopeBytes(header);
  if (typeof bytes === "string") return new AssertionMalformed({ problem: bytes });
  const json = parseJsonObject(bytes);
  if (typeof json === "string") return new AssertionMalformed({ problem: `its envelope ${json}` });
  return readEnvelope(json) ?? new AssertionMalformed({ problem: problemOf(json) });
};

/**
 * Parses the value of an `Authorization: AgentAssertion …` header without verifying it; `undefined` or `null` for a request
 * without one. The order and spacing of the envelope's keys do not matter; duplicate names are rejected. Fails with
 * `AssertionMalformed`.
 *
 * @example
 * ```ts
 * import { parseAgentAssertion } from "@agent-auth/agent-identity/assertion/verifier";
 * import * as Effect from "effect/Effect";
 *
 * const error = await Effect.runPromise(Effect.flip(parseAgentAssertion("Bearer token")));
 * error.message; // "agent assertion is malformed: its scheme is not AgentAssertion"
 * ```
 */
export const parseAgentAssertion = (
  header: string | null | undefined,
): Effect.Effect<UnverifiedAgentAssertion, AssertionMalformed> =>
  Effect.suspend(() => {
    const decoded = decodeAgentAssertion(header);
    return "_tag" in decoded ? decoded : Effect.succeed(decoded);
  });
