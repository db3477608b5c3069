import * as Effect from "effect/Effect";
import * as Redacted from "effect/Redacted";
import * as z from "zod/mini";
import { idExpectation, isId } from "../encoding/text.ts";
import {
  AccessTokenUnavailable,
  type AgentRegistrationError,
  AgentRegistrationRejected,
  AgentRegistrationRequestFailed,
  AgentRegistrationResponseMalformed,
} from "../errors/index.ts";
import { HttpTransport } from "../http/index.ts";
import { quoteResponse } from "../http/quote-response.ts";
import { isSuccessStatus } from "../http/status.ts";
import { registrationTimeoutMs } from "../http/timeouts.ts";
import type { AgentKey } from "../keys/index.ts";
import { type BaseUrlOptions, normalizeBaseUrl } from "../urls/index.ts";

/** The agent's bill of materials (`abom`): which program it is, and where it runs. */
export interface AgentBillOfMaterials {
  /** Version of the program that is the agent. */
  readonly agentVersion: string;
  readonly agentHarnessId: "codex-app" | "codex-cli";
  /** `<source>-<os>`, for example `cli-linux`. */
  readonly runningLocation: string;
}

const osNames: ReadonlyMap<string, string> = new Map([
  ["darwin", "macos"],
  ["win32", "windows"],
]);

/**
 * Returns the bill of materials of docs/protocol.md §11. `source` says where the agent's session runs (`cli`, `exec`,
 * `vscode`, …); `platform` is Node's `process.platform`, which this package does not read itself.
 *
 * @example
 * ```ts
 * import { describeAgent } from "@agent-auth/agent-identity/registration";
 *
 * const agent = { agentVersion: "1.0.0", source: "cli", platform: process.platform };
 * describeAgent(agent).agentHarnessId; // "codex-cli"
 * ```
 */
export const describeAgent = (agent: {
  readonly agentVersion: string;
  readonly source: string;
  readonly platform: string;
}): AgentBillOfMaterials => ({
  agentVersion: agent.agentVersion,
  agentHarnessId: agent.source === "vscode" ? "codex-app" : "codex-cli",
  runningLocation: `${agent.source}-${osNames.get(agent.platform) ?? agent.platform}`,
});

/** The v1 design authorises a registration with a biscuit, v2 (which Codex uses now) with the user's access token. */
export type AgentRegistrationDesign =
  | { readonly design: "v1"; readonly biscuit: Redacted.Redacted }
  | { readonly design: "v2"; readonly accessToken: Redacted.Redacted };

/** Which agent is registered, where and in which design. */
export type RegisterAgentOptions = BaseUrlOptions &
  AgentRegistrationDesign & {
    /** Base URL of the registration API: the ChatGPT base in v1, the task API base in v2. */
    readonly baseUrl: string;
    readonly key: AgentKey;
    readonly billOfMaterials: AgentBillOfMaterials;
  };

const RegistrationResponse = z.object({
  agent_runtime_id: z.string().check(z.refine(isId, idExpectation)),
});

const bodyOf = ({ design, billOfMaterials, key }: RegisterAgentOptions): string =>
  JSON.stringify({
    abom: {
      agent_version: billOfMaterials.agentVersion,
      agent_harness_id: billOfMaterials.agentHarnessId,
      running_location: billOfMaterials.runningLocation,
    },
    agent_public_key: key.sshPublicKey,
    ...(design === "v1" ? { capabilities: [] } : { capabilities: ["responsesapi"], ttl: null }),
  });

const authorizationOf = (options: RegisterAgentOptions) =>
  options.design === "v1"
    ? { name: "X-OpenAI-Authorization", secret: options.biscuit, prefix: "" }
    : { name: "authorization", secret: options.accessToken, prefix: "Bearer " };

const parseResponse = Effect.fnUntraced(function* (body: string) {
  const json = yield* Effect.try({
    try: (): unknown => JSON.parse(body),
    catch: () => new AgentRegistrationResponseMalformed({ problem: "it is not JSON" }),
  });
  const { data } = RegistrationResponse.safeParse(json);
  if (data !== undefined) return data.agent_runtime_id;
  const problem = `agent_runtime_id must be ${idExpectation}`;
  return yield* new AgentRegistrationResponseMalformed({ problem });
});

/**
 * Registers an agent's public key and returns the agent runtime id that the API assigned (docs/protocol.md §5, §11), in
 * either design. Not retried, since a second attempt could register a second agent. Fails with
 * `AgentRegistrationError`.
 *
 * @example
 * ```ts
 * import { HttpTransport } from "@agent-auth/agent-identity/http";
 * import { generateAgentKey } from "@agent-auth/agent-identity/keys";
 * import { describeAgent, registerAgent } from "@agent-auth/agent-identity/registration";
 * import * as Effect from "effect/Effect";
 * import * as Redacted from "effect/Redacted";
 *
 * const body = '{"agent_runtime_id":"agent-123"}';
 * const response = { status: 200, statusText: "OK", headers: {}, body };
 * const program = Effect.gen(function* () {
 *   return yield* registerAgent({
 *     design: "v2",
 *     accessToken: Redacted.make("access-token"),
 *     baseUrl: "https://auth.openai.com/api/accounts",
 *     key: yield* generateAgentKey,
 *     billOfMaterials: describeAgent({ agentVersion: "1.0.0", source: "cli", platform: "linux" }),
 *   });
 * }).pipe(Effect.provideService(HttpTransport, { request: () => Effect.succeed(response) }));
 * await Effect.runPromise(program); // "agent-123"
 * ```
 */
export const registerAgent = Effect.fn("registerAgent")(function* (
  options: RegisterAgentOptions,
): Effect.fn.Return<string, AgentRegistrationError, HttpTransport> {
  const base = yield* normalizeBaseUrl(options.baseUrl, options);
  const { name, secret, prefix } = authorizationOf(options);
  const plain = Redacted.value(secret);
  if (plain.trim() === "") return yield* new AccessTokenUnavailable();
  const transport = yield* HttpTransport;
  const response = yield* Effect.mapError(
    transport.request({
      method: "POST",
      url: `${base}/v1/agent/register`,
      headers: {
        "content-type": "application/json",
        accept: "application/json",
        [name]: Redacted.make(`${prefix}${plain}`, { label: name }),
      },
      body: bodyOf(options),
      timeoutMs: registrationTimeoutMs,
    }),
    (failure) => new AgentRegistrationRequestFailed({ failure }),
  );
  if (!isSuccessStatus(response.status)) {
    return yield* new AgentRegistrationRejected(quoteResponse(response, [plain]));
  }
  return yield* parseResponse(response.body);
});
