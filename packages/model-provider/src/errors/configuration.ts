import type { Remedy } from "@agent-auth/agent-identity/errors";
import type { ModelProviderNotFound } from "@agent-auth/login/errors/model-provider";
import * as Data from "effect/Data";

/** A base URL is not one that authenticated requests may be sent to. */
export class ProviderBaseUrlInvalid extends Data.TaggedError("ProviderBaseUrlInvalid")<{
  readonly providerId: string;
  /** The setting that holds the URL: a key of `config.toml`. */
  readonly setting: string;
  readonly reason:
    | "notAUrl"
    | "notHttp"
    | "holdsCredentials"
    | "holdsQueryOrFragment"
    | "insecureHttp";
}> {
  readonly code = "PROVIDER_BASE_URL_INVALID";
  readonly remedy: Remedy = "fixConfig";
  get hint(): string {
    return this.reason === "insecureHttp"
      ? `Use https in ${this.setting}, or allow plain http explicitly.`
      : `Correct ${this.setting}.`;
  }
  override get message(): string {
    return `${this.setting} of model provider ${JSON.stringify(this.providerId)} ${baseUrlReasons[this.reason]}`;
  }
}

const baseUrlReasons = {
  notAUrl: "is not an absolute URL",
  notHttp: "is neither http nor https",
  holdsCredentials: "contains a user name or password",
  holdsQueryOrFragment: "contains a query or fragment (use query_params for parameters)",
  insecureHttp: "is plain http to another machine, which would expose the credential",
} as const;

/** The environment variable that a provider's `env_key` names is unset, empty or blank. */
export class EnvKeyMissing extends Data.TaggedError("EnvKeyMissing")<{
  readonly providerId: string;
  readonly variable: string;
  /** `env_key_instructions`, as written in the configuration. */
  readonly instructions?: string;
}> {
  readonly code = "PROVIDER_ENV_KEY_MISSING";
  readonly remedy: Remedy = "fixEnvironment";
  get hint(): string {
    return this.instructions ?? `Set ${this.variable}.`;
  }
  override get message(): string {
    const how = this.instructions === undefined ? "" : `: ${this.instructions}`;
    return `model provider ${JSON.stringify(this.providerId)} needs the environment variable ${this.variable}, which is not set${how}`;
  }
}

/** A header that would be sent is not legal (RFC 9110 §5.5). Its value is not included. */
export class HeaderInvalid extends Data.TaggedError("HeaderInvalid")<{
  readonly header: string;
  readonly from: "credential" | "http_headers" | "env_http_headers";
  readonly reason: "name" | "reserved" | "empty" | "surroundingSpace" | "controlByte" | "notAscii";
}> {
  readonly code = "PROVIDER_HEADER_INVALID";
  get remedy(): Remedy {
    if (this.from === "credential") return "signIn";
    return this.from === "http_headers" ? "fixConfig" : "fixEnvironment";
  }
  get hint(): string {
    return this.from === "credential"
      ? "Sign in again, or replace the key or token."
      : `Correct ${this.from} in the configuration.`;
  }
  override get message(): string {
    const whose = this.from === "credential" ? "the credential" : this.from;
    return `header ${JSON.stringify(this.header)} of ${whose} cannot be sent: ${headerReasons[this.reason]}`;
  }
}

const headerReasons = {
  name: "its name is not a legal header name",
  reserved: "the HTTP client sets this header itself",
  empty: "its value is empty",
  surroundingSpace: "its value starts or ends with white space",
  controlByte: "its value contains a line break or another control character",
  notAscii: "its value contains a character outside ASCII",
} as const;

/** Errors in a provider's configuration. */
export type ProviderConfigError =
  | ModelProviderNotFound
  | ProviderBaseUrlInvalid
  | EnvKeyMissing
  | HeaderInvalid;
