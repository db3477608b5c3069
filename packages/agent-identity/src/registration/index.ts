import * as Effect from "effect/Effect";
import * as Redacted from "effect/Redacted";
import * as z from "zod/mini";
import {
  AccessTokenUnavailable,
  type AgentRegistrationError,
  AgentRegistrationMalformed,
  AgentRegistrationRefused,
  AgentRegistrationUnreachable,
} from "../errors/index.ts";
import { HttpTransport } from "../http/index.ts";
import { idExpectation, isId } from "../record/id.ts";
import { quoteAnswer } from "../http/quote-body.ts";
import type { AgentKey } from "../keys/index.ts";
import { type BaseUrlOptions, normalizeBaseUrl } from "../urls/index.ts";

/** The agent's bill of materials. */
export interface AgentBillOfMaterials {
  /** Version of the program that is the agent. */
  readonly agentVersion: string;
  readonly agentHarnessId: "codex-app" | "codex-cli";
  /** `<source>-<os>`, for example `cli-linux`. */
  readonly runningLocation: string;
}

const osNames: Readonly<Record<string, string>> = { darwin: "macos", win32: "windows" };

/**
 * The bill of materials of docs/protocol.md §11. `source` says where the agent's session runs (`cli`, `exec`,
 * `vscode`, …); `platform` is Node's `process.platform`, which this package does not read itself.
 */
export const describeAgent = (of: {
  readonly agentVersion: string;
  readonly source: string;
  readonly platform: string;
}): AgentBillOfMaterials => ({
  agentVersion: of.agentVersion,
  agentHarnessId: of.source === "vscode" ? "codex-app" : "codex-cli",
  runningLocation: `${of.source}-${osNames[of.platform] ?? of.platform}`,
});

/** The first design authorises by a biscuit, Codex's present one by the user's access token. */
export type AgentRegistrationDesign =
  | { readonly design: "v1"; readonly biscuit: Redacted.Redacted }
  | { readonly design: "v2"; readonly accessToken: Redacted.Redacted };

/** Which agent is registered, where and in which design. */
export type RegisterAgentOptions = BaseUrlOptions &
  AgentRegistrationDesign & {
    /** Base of the registering API: the ChatGPT base in the first design, the task API base in the current one. */
    readonly baseUrl: string;
    readonly key: AgentKey;
    readonly billOfMaterials: AgentBillOfMaterials;
  };

const timeoutMs = 15_000;
const Answer = z.object({ agent_runtime_id: z.string().check(z.refine(isId, idExpectation)) });

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

const parseAnswer = Effect.fnUntraced(function* (body: string) {
  const json = yield* Effect.try({
    try: (): unknown => JSON.parse(body),
    catch: () => new AgentRegistrationMalformed({ problem: "it is not JSON" }),
  });
  const read = Answer.safeParse(json);
  if (read.success) return read.data.agent_runtime_id;
  return yield* new AgentRegistrationMalformed({
    problem: `agent_runtime_id must be ${idExpectation}`,
  });
});

/**
 * Registers an agent's public key and returns the runtime id that the API gave it (docs/protocol.md §5, §11), in
 * either design. One attempt: a second one could leave two agents behind. Fails with `AgentRegistrationError`.
 */
export const registerAgent = Effect.fn("registerAgent")(function* (
  options: RegisterAgentOptions,
): Effect.fn.Return<string, AgentRegistrationError, HttpTransport> {
  const base = yield* normalizeBaseUrl(options.baseUrl, options);
  const { name, secret, prefix } = authorizationOf(options);
  const plain = Redacted.value(secret);
  if (plain.trim() === "") return yield* new AccessTokenUnavailable();
  const transport = yield* HttpTransport;
  const answer = yield* Effect.mapError(
    transport.request({
      method: "POST",
      url: `${base}/v1/agent/register`,
      headers: {
        "content-type": "application/json",
        accept: "application/json",
        [name]: Redacted.make(`${prefix}${plain}`, { label: name }),
      },
      body: bodyOf(options),
      timeoutMs,
    }),
    (failure) => new AgentRegistrationUnreachable({ failure }),
  );
  if (answer.status < 200 || answer.status >= 300) {
    return yield* new AgentRegistrationRefused(quoteAnswer(answer, [plain]));
  }
  return yield* parseAnswer(answer.body);
});
