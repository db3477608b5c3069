import type { HttpTransport } from "@agent-auth/agent-identity/http";
import * as Effect from "effect/Effect";
import type * as Redacted from "effect/Redacted";
import type { LoginEnvironment } from "../../config/environment.ts";
import type { IdentitySourceName } from "../../credential/index.ts";
import type { IdentityTokenUnavailable } from "../../errors/workload-identity.ts";
import type { IdentitySource } from "../settings.ts";
import type { FetchIdentityToken } from "./source.ts";

/** Each source is loaded when it is chosen. */
const sources: Readonly<Record<IdentitySourceName, () => Promise<FetchIdentityToken>>> = {
  file: async () => (await import("./file.ts")).fetchFromFile,
  spiffe: async () => (await import("./spiffe.ts")).fetchFromSpiffe,
  "github-actions": async () => (await import("./github-actions.ts")).fetchFromGithub,
  "gitlab-ci": async () => (await import("./ci-variable.ts")).fetchFromGitlab,
  circleci: async () => (await import("./ci-variable.ts")).fetchFromCircleci,
  buildkite: async () => (await import("./buildkite.ts")).fetchFromBuildkite,
  kubernetes: async () => (await import("./mounted-file.ts")).fetchFromKubernetes,
  gce: async () => (await import("./gce.ts")).fetchFromGce,
  "azure-federated-token": async () => (await import("./mounted-file.ts")).fetchFromAzureFile,
  "azure-imds": async () => (await import("./azure-imds.ts")).fetchFromAzureImds,
  "aws-web-identity": async () => (await import("./mounted-file.ts")).fetchFromAwsFile,
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
