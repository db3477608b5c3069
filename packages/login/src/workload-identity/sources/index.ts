import type { HttpTransport } from "@agent-auth/agent-identity/http";
import * as Effect from "effect/Effect";
import type * as Redacted from "effect/Redacted";
import type { LoginEnvironment } from "../../config/environment.ts";
import type { IdentitySourceName } from "../../config/types.ts";
import type { IdentityTokenUnavailable } from "../../errors/workload-identity.ts";
import type { IdentitySource } from "../settings.ts";
import type { FetchIdentityToken } from "./source.ts";

/** Each source is loaded when it is chosen. */
const sources: Readonly<Record<IdentitySourceName, () => Promise<FetchIdentityToken>>> = {
  file: async () => (await import("./file.ts")).fetchFromFile,
  spiffe: () => Promise.reject(new Error("the SPIFFE source is not available")),
};

/** Returns the identity token of this program from the chosen source. */
export const fetchIdentityToken = Effect.fn("login.fetchIdentityToken")(function* (
  source: IdentitySource,
  environment: Pick<LoginEnvironment, "variable">,
): Effect.fn.Return<Redacted.Redacted, IdentityTokenUnavailable, HttpTransport> {
  yield* Effect.annotateCurrentSpan({ "identity.source": source.name });
  const fetchFrom = yield* Effect.promise(sources[source.name]);
  return yield* fetchFrom(source, environment);
});
