import * as Effect from "effect/Effect";
import * as Redacted from "effect/Redacted";
import { parsePlatformUrl, requestToken } from "./platform-request.ts";
import {
  checkPlatformToken,
  type FetchIdentityToken,
  requireAudience,
  requireVariable,
} from "./source.ts";

const hint = "Give the job the permission `id-token: write`.";

/** `source = "github-actions"`: fetches a token for the configured audience from GitHub's OIDC provider. */
export const fetchFromGithub: FetchIdentityToken = Effect.fnUntraced(
  function* (source, environment) {
    const audience = yield* requireAudience(source);
    const name = "ACTIONS_ID_TOKEN_REQUEST_URL";
    const address = yield* requireVariable(source, environment, name, hint);
    const requestSecret = yield* requireVariable(
      source,
      environment,
      "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
      hint,
    );
    const url = yield* parsePlatformUrl(source, name, Redacted.value(address));
    url.searchParams.append("audience", audience);
    const authorization = Redacted.make(`Bearer ${Redacted.value(requestSecret)}`, {
      label: "authorization",
    });
    const headers = { accept: "application/json", authorization };
    const token = yield* requestToken(source, { method: "GET", url, headers }, "value", hint);
    return yield* checkPlatformToken(source, token, hint);
  },
);
