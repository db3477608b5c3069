import * as z from "zod";
import { parseJson } from "../http/body.ts";
import type { HttpResponse } from "../http/response.ts";
import { json } from "../http/response.ts";
import type { RequestContext, Route } from "../http/router.ts";
import { path } from "../http/router.ts";
import { mintIdentityToken } from "../identities/workloads.ts";
import type { AuthorityState } from "../state.ts";

// The endpoints from which programs get their identity token. They respond like those of the real platforms.

/** The platforms that name the endpoint to a program in environment variables. */
export type Platform = "buildkite" | "gce" | "github-actions";

/** The variables that the platform sets in a job, or that its libraries read. */
export const platformVariables = (
  { origin, workloads }: AuthorityState,
  platform: Platform,
): Readonly<Record<string, string>> => {
  switch (platform) {
    case "github-actions":
      return {
        ACTIONS_ID_TOKEN_REQUEST_URL: `${origin}/github/idtoken/run-1/job-1?api-version=2.0`,
        ACTIONS_ID_TOKEN_REQUEST_TOKEN: workloads.githubRequestToken,
      };
    case "buildkite":
      return {
        BUILDKITE_AGENT_ENDPOINT: `${origin}/buildkite/v3`,
        BUILDKITE_AGENT_ACCESS_TOKEN: workloads.buildkiteAgentToken,
        BUILDKITE_JOB_ID: "01234567-89ab-cdef-0123-456789abcdef",
      };
    case "gce":
      return { GCE_METADATA_HOST: new URL(origin).host };
  }
};

// https://docs.github.com/actions/reference/security/oidc
const githubIdToken = async ({ state, request }: RequestContext): Promise<HttpResponse> => {
  const { githubRequestToken } = state.workloads;
  if (request.headers.authorization !== `Bearer ${githubRequestToken}`)
    return json(401, { $id: "1", message: "Unauthorized", typeName: "AuthenticationException" });
  const audience = request.query.get("audience") ?? "https://github.com/example";
  const subject = "repo:example/app:ref:refs/heads/main";
  const claims = { repository: "example/app", runner_environment: "github-hosted" };
  return json(200, { value: await mintIdentityToken(state, { audience, subject, claims }) });
};

const BuildkiteRequest = z.object({ audience: z.string(), lifetime: z.int().optional() });

// buildkite-agent, api/oidc.go
const buildkiteIdToken = async ({
  state,
  request,
  params,
}: RequestContext): Promise<HttpResponse> => {
  if (request.headers.authorization !== `Token ${state.workloads.buildkiteAgentToken}`)
    return json(401, { message: "Invalid access token" });
  const { audience, lifetime = 300 } = parseJson(request, BuildkiteRequest);
  const subject = `organization:example:pipeline:app:ref:refs/heads/main:commit:abc:step:${params["job"]}`;
  return json(200, {
    token: await mintIdentityToken(state, { audience, subject, expiresInSeconds: lifetime }),
  });
};

const google = { "metadata-flavor": "Google", server: "Metadata Server for VM" };

// https://cloud.google.com/compute/docs/instances/verifying-instance-identity
const gceIdToken = async ({ state, request }: RequestContext): Promise<HttpResponse> => {
  if (request.headers["metadata-flavor"] !== "Google" || "x-forwarded-for" in request.headers)
    return { status: 403, headers: google, body: "Missing Metadata-Flavor:Google header." };
  const audience = request.query.get("audience");
  if (audience === null)
    return { status: 400, headers: google, body: "non-empty audience parameter required" };
  const subject = "104029292853099978293";
  const claims = { email: "app@example.iam.gserviceaccount.com", email_verified: true };
  const token = await mintIdentityToken(state, { audience, subject, claims });
  return { status: 200, headers: { ...google, "content-type": "text/html" }, body: token };
};

const azureError = (status: number, error: string, description: string): HttpResponse =>
  json(status, { error, error_description: description });

// https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token
const azureIdToken = async ({ state, request }: RequestContext): Promise<HttpResponse> => {
  if (request.headers["metadata"] !== "true" || "x-forwarded-for" in request.headers)
    return azureError(400, "invalid_request", "Required metadata header not specified");
  if (request.query.get("api-version") !== "2018-02-01")
    return azureError(400, "invalid_request", "Unknown api-version");
  const resource = request.query.get("resource");
  if (resource === null || resource === "")
    return azureError(400, "invalid_request", "Required audience parameter not specified");
  const clientId = request.query.get("client_id") ?? "11111111-2222-3333-4444-555555555555";
  const claims = { appid: clientId, xms_mirid: "/subscriptions/example" };
  return json(200, {
    access_token: await mintIdentityToken(state, {
      audience: resource,
      subject: clientId,
      expiresInSeconds: 86_400,
      claims,
    }),
    client_id: clientId,
    expires_in: "86399",
    expires_on: String(Math.floor(state.clock.nowMs() / 1000) + 86_399),
    resource,
    token_type: "Bearer",
  });
};

export const platformRoutes: ReadonlyArray<Route> = [
  {
    endpoint: "githubIdToken",
    method: "GET",
    pattern: path("/github/idtoken/[^/]+/[^/]+"),
    handle: githubIdToken,
  },
  {
    endpoint: "buildkiteIdToken",
    method: "POST",
    pattern: path("/buildkite/v3/jobs/(?<job>[^/]+)/oidc/tokens"),
    handle: buildkiteIdToken,
  },
  {
    endpoint: "gceIdToken",
    method: "GET",
    pattern: path("/computeMetadata/v1/instance/service-accounts/default/identity"),
    handle: gceIdToken,
  },
  {
    endpoint: "azureIdToken",
    method: "GET",
    pattern: path("/metadata/identity/oauth2/token"),
    handle: azureIdToken,
  },
];
