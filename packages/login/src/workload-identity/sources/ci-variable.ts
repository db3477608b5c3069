import * as Effect from "effect/Effect";
import * as Redacted from "effect/Redacted";
import { checkPlatformToken, type FetchIdentityToken, requireVariable } from "./source.ts";

// CI systems that put the identity token into a variable of the job.

const issuedOnce =
  "The job gets one token when it starts: use it earlier in the job, or split the job.";

/** The variable of GitLab's `id_tokens` that is read unless the configuration names another one. */
export const defaultGitlabVariable = "OPENAI_ID_TOKEN";

/** `source = "gitlab-ci"`: the variable that the job's `id_tokens` keyword creates. */
export const fetchFromGitlab: FetchIdentityToken = (source, environment) => {
  const name = source.tokenVariable ?? defaultGitlabVariable;
  const hint = `Add to the job: id_tokens: { ${name}: { aud: "${source.audience ?? "YOUR_AUDIENCE"}" } }`;
  return requireVariable(source, environment, name, hint).pipe(
    Effect.flatMap((value) => checkPlatformToken(source, Redacted.value(value), hint, issuedOnce)),
  );
};

const circleHint =
  "Use a context in the job, so that CircleCI issues a token. Its audience is the id of the organization; for another one, write the output of `circleci run oidc get` into a file and use the source file.";

/** `source = "circleci"`: the token of a job that uses at least one context. */
export const fetchFromCircleci: FetchIdentityToken = (source, environment) => {
  const name =
    environment.variable("CIRCLE_OIDC_TOKEN_V2") === undefined
      ? "CIRCLE_OIDC_TOKEN"
      : "CIRCLE_OIDC_TOKEN_V2";
  return requireVariable(source, environment, source.tokenVariable ?? name, circleHint).pipe(
    Effect.flatMap((value) =>
      checkPlatformToken(source, Redacted.value(value), circleHint, issuedOnce),
    ),
  );
};
