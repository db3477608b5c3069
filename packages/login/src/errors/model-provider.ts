import type { Remedy } from "@agent-auth/agent-identity/errors";
import * as Data from "effect/Data";

// A separate module, so that model-provider does not load the other errors.

/**
 * `model_provider`, or the requested provider id, names a provider that is neither built in nor configured. The message is
 * Codex's.
 *
 * @example
 * ```ts
 * import { ModelProviderNotFound } from "@agent-auth/login/errors";
 *
 * const error = new ModelProviderNotFound({ id: "acme", configured: ["azure"] });
 * console.log(error.message); // Model provider `acme` not found
 * ```
 */
export class ModelProviderNotFound extends Data.TaggedError("ModelProviderNotFound")<{
  readonly id: string;
  /** The ids of `[model_providers]`. */
  readonly configured: ReadonlyArray<string>;
}> {
  readonly code = "LOGIN_MODEL_PROVIDER_NOT_FOUND";
  readonly remedy: Remedy = "fixConfig";
  get hint(): string {
    const known = [...new Set(["openai", ...this.configured])].join(", ");
    return `Choose one of ${known}, or add [model_providers.${this.id}] to config.toml.`;
  }
  override get message(): string {
    return `Model provider \`${this.id}\` not found`;
  }
}
