import { randomBytes } from "node:crypto";
import * as Context from "effect/Context";
import * as Effect from "effect/Effect";

/**
 * Source of random bytes for secrets: the operating system's generator by default. Effect's own `Random` is not
 * cryptographically secure. Tests replace this service to make secrets predictable.
 */
export const SecureRandom = Context.Reference<(size: number) => Uint8Array>(
  "@agent-auth/login/secure-random",
  { defaultValue: () => randomBytes },
);

/** Returns a new secret of `size` random bytes, base64url-encoded. */
export const randomSecret = (size: number): Effect.Effect<string> =>
  Effect.map(SecureRandom, (bytes) => Buffer.from(bytes(size)).toString("base64url"));
