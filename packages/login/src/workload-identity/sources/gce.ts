import * as Effect from "effect/Effect";
import * as Redacted from "effect/Redacted";
import { requestMetadata } from "./metadata-request.ts";
import {
  checkPlatformToken,
  type FetchIdentityToken,
  requireAudience,
  unavailable,
} from "./source.ts";

const hint =
  "Run this program on Google Cloud (Compute Engine, GKE, Cloud Run, Cloud Build) with a service account attached.";

/** `source = "gce"`: fetches an identity token of the attached service account from Google Cloud's metadata server. */
export const fetchFromGce: FetchIdentityToken = Effect.fnUntraced(function* (source, environment) {
  const audience = yield* requireAudience(source);
  const host = environment.variable("GCE_METADATA_HOST"); // as in Google's own libraries
  const base =
    source.endpoint ??
    `http://${host === undefined ? "metadata.google.internal" : Redacted.value(host)}`;
  const path = "/computeMetadata/v1/instance/service-accounts/default/identity";
  const url = URL.parse(path, base);
  if (url === null)
    return yield* unavailable(source, "gce: the endpoint is not a URL", hint, "fixConfig");
  url.search = new URLSearchParams({ audience, format: "full" }).toString();
  const response = yield* requestMetadata(source, url, { "metadata-flavor": "Google" }, hint);
  if (response.headers["metadata-flavor"] !== "Google")
    return yield* unavailable(
      source,
      `gce: ${url.host} is not the metadata server of Google Cloud`,
      hint,
    );
  if (response.status !== 200)
    return yield* unavailable(
      source,
      `gce: the metadata server responded with status ${response.status}`,
      response.status === 404 ? "Attach a service account to the machine." : hint,
      response.status >= 500 ? "retry" : "fixEnvironment",
    );
  return yield* checkPlatformToken(source, response.body, hint);
});
