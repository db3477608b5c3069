import { registerAgent, whoamiResponse } from "@agent-auth/gateway/endpoints";
import * as Effect from "effect/Effect";
import * as z from "zod";
import type { Account } from "../identities/accounts.ts";
import { randomToken } from "../identities/accounts.ts";
import type { HttpResponse } from "../http/response.ts";
import { badRequest, json, unauthorized } from "../http/response.ts";
import { agentAccountOf } from "../identities/agents.ts";
import { runEndpoint, webRequest } from "./gateway-endpoint.ts";
import { bearerToken, findBearer } from "../identities/authentication.ts";
import { parseJson } from "../http/body.ts";
import type { RequestContext, Route } from "../http/router.ts";
import { anyBase, path } from "../http/router.ts";
import type { AuthorityState } from "../state.ts";

const whoami = (context: RequestContext): Promise<HttpResponse> => {
  const { account, kind } = findBearer(context.state, bearerToken(context.request));
  if (kind !== "personalAccessToken" && kind !== "accessToken")
    throw unauthorized("invalid_token", "the bearer token does not belong to a user");
  return runEndpoint(
    context,
    Effect.sync(() => whoamiResponse(agentAccountOf(account))),
  );
};

const BiscuitHeaders = z.object({
  "x-request-id": z.string().regex(/^codex-agent-identity-[A-Za-z0-9_-]{22}$/),
  "x-original-method": z.enum(["GET", "POST"]),
  "x-original-url": z.url(),
});

const mintBiscuit = ({ state, request }: RequestContext): HttpResponse => {
  const account = accountOfAccessToken(state, bearerToken(request));
  const read = BiscuitHeaders.safeParse(request.headers);
  if (!read.success) {
    const names = read.error.issues.map((issue) => issue.path.join(".")).join(", ");
    throw badRequest("invalid_headers", `missing or malformed: ${names}`);
  }
  const biscuit = state.directory.addBearer(randomToken("biscuit_"), { kind: "biscuit", account });
  return json(200, {}, { "x-openai-authorization": biscuit });
};

const accountOfAccessToken = (state: AuthorityState, token: string): Account => {
  const bearer = findBearer(state, token);
  if (bearer.kind !== "accessToken")
    throw unauthorized("invalid_token", "this endpoint accepts only the access token of a sign-in");
  return bearer.account;
};

const Abom = z.object({
  agent_version: z.string().min(1),
  agent_harness_id: z.string().min(1),
  running_location: z.string().min(1),
});

const FirstDesign = z.object({
  abom: Abom,
  agent_public_key: z.string(),
  capabilities: z.array(z.string()).length(0),
});

const CurrentDesign = z.object({
  abom: Abom,
  agent_public_key: z.string(),
  capabilities: z.tuple([z.literal("responsesapi")]),
  ttl: z.null(),
});

const accountOfBiscuit = (state: AuthorityState, biscuit: string): Account => {
  const found = state.directory.bearers.get(biscuit);
  if (found?.kind !== "biscuit" || found.revoked)
    throw unauthorized("invalid_biscuit", "X-OpenAI-Authorization was not issued here");
  return found.account;
};

/** The credential decides the design: a biscuit is v1, an access token v2. */
const readRegistration = ({ state, request }: RequestContext) => {
  const biscuit = request.headers["x-openai-authorization"];
  if (typeof biscuit === "string")
    return { account: accountOfBiscuit(state, biscuit), body: parseJson(request, FirstDesign) };
  const account = accountOfAccessToken(state, bearerToken(request));
  return { account, body: parseJson(request, CurrentDesign) };
};

/** The gateway's registration, after a check that the body is exactly that of its design. */
const register = async (context: RequestContext): Promise<HttpResponse> => {
  const { account } = readRegistration(context);
  const { agents } = context.state;
  return runEndpoint(
    context,
    registerAgent(webRequest(context), {
      registry: {
        ...agents.registry,
        addAgent: (agent) => {
          agents.claim(agent.agentRuntimeId, account);
          return agents.registry.addAgent(agent);
        },
      },
      authorize: () => Effect.succeed(agentAccountOf(account)),
    }),
  );
};

/** Who am I, biscuits, and agent registration in both designs. */
export const accountsApiRoutes: ReadonlyArray<Route> = [
  {
    endpoint: "whoami",
    method: "GET",
    pattern: path(`${anyBase}/v1/user-auth-credential/whoami`),
    handle: whoami,
  },
  {
    endpoint: "biscuit",
    method: "GET",
    pattern: path(`${anyBase}/authenticate_app_v2`),
    handle: mintBiscuit,
  },
  {
    endpoint: "registerAgent",
    method: "POST",
    pattern: path(`${anyBase}/v1/agent/register`),
    handle: register,
  },
];
