import { isTransientStatus } from "@agent-auth/agent-identity/http";
import * as Effect from "effect/Effect";
import { requestMetadata } from "./metadata-request.ts";
import {
  checkPlatformToken,
  type FetchIdentityToken,
  requireAudience,
  textMember,
  unavailable,
} from "./source.ts";

const hint = "Run this program on an Azure machine with a managed identity assigned.";

/** `source = "azure-imds"`: fetches a token of a managed identity from Azure's Instance Metadata Service. */
export const fetchFromAzureImds: FetchIdentityToken = Effect.fnUntraced(function* (source) {
  const resource = yield* requireAudience(source);
  const { clientId, endpoint = "http://169.254.169.254" } = source;
  const url = URL.parse("/metadata/identity/oauth2/token", endpoint);
  if (url === null)
    return yield* unavailable(source, "azure-imds: the endpoint is not a URL", hint, "fixConfig");
  const query = new URLSearchParams({ "api-version": "2018-02-01", resource });
  if (clientId !== undefined) query.set("client_id", clientId);
  url.search = query.toString();
  const { body, status } = yield* requestMetadata(source, url, { metadata: "true" }, hint);
  if (status !== 200) {
    const isBusy = status === 404 || status === 410 || isTransientStatus(status);
    return yield* unavailable(
      source,
      `azure-imds: the metadata service responded with status ${status}`,
      isBusy
        ? "Try again in a minute."
        : "Check that a managed identity is assigned to the machine, that client_id is its client ID, and that the audience identifies an application in your Microsoft Entra tenant.",
      isBusy ? "retry" : "fixEnvironment",
    );
  }
  const token = textMember(body, "access_token");
  return yield* checkPlatformToken(source, token ?? "", hint);
});
