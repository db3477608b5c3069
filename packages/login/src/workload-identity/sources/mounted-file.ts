import { realpathSync } from "node:fs";
import * as Effect from "effect/Effect";
import * as Redacted from "effect/Redacted";
import type { IdentitySource } from "../settings.ts";
import { readTokenFile } from "./file.ts";
import {
  checkClaims,
  type FetchIdentityToken,
  requireVariable,
  type SourceEnvironment,
  unavailable,
} from "./source.ts";

// Platforms that mount the identity token into the container and replace it before it expires.

const projectVolume =
  "Mount a projected volume with a serviceAccountToken whose audience is the one of your federation rule or service account.";

const notReplaced =
  "The platform replaces the file before the token expires: check that it still does, and the clock of this machine.";

/**
 * The token of every pod, whichever links lead to it. Its audience is the cluster's own API server: sent elsewhere, it
 * would give access to that.
 */
const apiServerToken = /\/secrets\/kubernetes\.io\/serviceaccount\/(?:\.\.[^/]*\/)?token$/;

const realPath = (path: string): string => {
  try {
    return realpathSync.native(path);
  } catch {
    return path; // reading the file says why
  }
};

/** `source = "kubernetes"`: a projected service account token, at `token_file`. */
export const fetchFromKubernetes: FetchIdentityToken = (source) => {
  const { tokenFile } = source;
  if (tokenFile === undefined)
    return Effect.fail(
      unavailable(
        source,
        "kubernetes: agent_auth.workload_identity.token_file is not set",
        projectVolume,
        "fixConfig",
      ),
    );
  return readMounted(source, tokenFile, projectVolume);
};

const azureWebhook =
  "Label the pod azure.workload.identity/use: true, and annotate its service account with a client id. The audience of the mounted token is api://AzureADTokenExchange.";

/** `source = "azure-federated-token"`: the token that AKS workload identity mounts. */
export const fetchFromAzureFile: FetchIdentityToken = (source, environment) =>
  readNamed(source, environment, "AZURE_FEDERATED_TOKEN_FILE", azureWebhook);

const irsa =
  "Annotate the service account of the pod with eks.amazonaws.com/role-arn, so that EKS mounts a token. Its audience is sts.amazonaws.com.";

/** `source = "aws-web-identity"`: the token that EKS mounts for IAM roles of service accounts. */
export const fetchFromAwsFile: FetchIdentityToken = (source, environment) =>
  readNamed(source, environment, "AWS_WEB_IDENTITY_TOKEN_FILE", irsa);

/** The file at `token_file`, else the one that the platform names in a variable. */
const readNamed = (
  source: IdentitySource,
  environment: SourceEnvironment,
  variable: string,
  hint: string,
) => {
  const path =
    source.tokenFile === undefined
      ? Effect.map(requireVariable(source, environment, variable, hint), Redacted.value)
      : Effect.succeed(source.tokenFile);
  return Effect.flatMap(path, (path) => readMounted(source, path, hint));
};

const readMounted = (source: IdentitySource, path: string, hint: string) =>
  [path, realPath(path)].some((one) => apiServerToken.test(one))
    ? Effect.fail(
        unavailable(
          source,
          `${source.name}: ${path} is the credential for the API server of the cluster and is not sent elsewhere`,
          projectVolume,
          "fixConfig",
        ),
      )
    : Effect.flatMap(readTokenFile(source, path, hint), (token) =>
        checkClaims(source, token, hint, notReplaced),
      );
