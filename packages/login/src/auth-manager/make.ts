import * as Effect from "effect/Effect";
import type { HttpTransport } from "@agent-auth/agent-identity/http-transport";
import type { CredentialStore } from "../credential-store.ts";
import type { HomeLock } from "../home-lock.ts";
import type { AuthManagerOptions, AuthManagerShape } from "./contract.ts";

export declare const makeAuthManager: (
  options: AuthManagerOptions,
) => Effect.Effect<AuthManagerShape, never, CredentialStore | HomeLock | HttpTransport>;
