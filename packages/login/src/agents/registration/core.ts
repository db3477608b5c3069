import { mintBiscuit } from "@agent-auth/agent-identity/registration/biscuit";
import { taskApiBaseUrl } from "@agent-auth/agent-identity/urls";
import type { HttpTransport } from "@agent-auth/agent-identity/http";
import type * as Effect from "effect/Effect";
import type { AuthManager } from "../../manager/index.ts";
import type { CredentialStore } from "../../storage/index.ts";
import type { ChatgptCredential } from "../../credential/index.ts";
import type { LoginError } from "../../errors/index.ts";
import type { HomeLock } from "../../storage/lock/index.ts";
import type { IdentityRegistrationOptions } from "./index.ts";
import { compact } from "../../internal/compact.ts";

/** What the operations of one registration share. */
export interface Core {
  readonly options: IdentityRegistrationOptions;
  readonly manager: AuthManager["Service"];
  readonly store: CredentialStore["Service"];
  readonly lock: HomeLock["Service"];
}

export type Requesting<A> = Effect.Effect<A, LoginError, HttpTransport>;

/** The caller's word on plain http, for functions that take it. */
export const insecureHttp = ({ options }: Core) =>
  compact({ allowInsecureHttp: options.allowInsecureHttp });

/** The base of the API that registers tasks (docs/protocol.md §5). */
export const taskApi = (core: Core) => {
  const { config, environment, taskApiBaseUrl: chosen } = core.options;
  const override = chosen ?? environment.agentIdentityAuthApiBaseUrl;
  const from = compact({ chatgptBaseUrl: config.chatgptBaseUrl, override });
  return taskApiBaseUrl(from, insecureHttp(core));
};

/** A biscuit for one POST, in the name of the signed-in user. */
export const biscuitFor = (core: Core, { accessToken }: ChatgptCredential, originalUrl: string) =>
  mintBiscuit({
    baseUrl: core.options.config.chatgptBaseUrl,
    accessToken,
    originalMethod: "POST",
    originalUrl,
    ...insecureHttp(core),
  });
