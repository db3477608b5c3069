import { setTimeout as sleep } from "node:timers/promises";
import * as z from "zod";
import type { HttpResponse } from "../http/response.ts";
import { json } from "../http/response.ts";
import { authenticate } from "../identities/authentication.ts";
import { parseJson } from "../http/body.ts";
import type { RequestContext, Route } from "../http/router.ts";
import { modelBase, path } from "../http/router.ts";
import type { AuthorityState } from "../state.ts";
import type { ModelReplyFacts, ResponseEvent } from "./model-reply.ts";
import { completedResponse, responseEvents } from "./model-reply.ts";

/** The fields of a model request that the authority reads; others are ignored. */
export const ResponsesRequest = z.looseObject({
  model: z.string().min(1),
  input: z.union([z.string(), z.array(z.unknown())]).optional(),
  stream: z.boolean().nullish(),
});

export const modelReplyFacts = (
  state: AuthorityState,
  body: z.infer<typeof ResponsesRequest>,
): ModelReplyFacts => ({
  model: body.model,
  text: state.settings.replyText,
  inputTokens: Math.ceil(JSON.stringify(body.input ?? "").length / 4),
  nowMs: state.clock.nowMs(),
});

/** The events of one reply, spaced by `replyDelayMs`. */
export async function* pacedEvents(
  state: AuthorityState,
  facts: ModelReplyFacts,
): AsyncGenerator<ResponseEvent> {
  for (const event of responseEvents(facts)) {
    const { replyDelayMs } = state.settings;
    if (replyDelayMs > 0) await sleep(replyDelayMs);
    yield event;
  }
}

async function* serverSentEvents(events: AsyncIterable<ResponseEvent>): AsyncGenerator<string> {
  for await (const event of events)
    yield `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`;
}

const respond = async ({ state, request }: RequestContext): Promise<HttpResponse> => {
  await authenticate(state, request);
  const body = parseJson(request, ResponsesRequest);
  const facts = modelReplyFacts(state, body);
  if (body.stream !== true) return json(200, completedResponse(facts));
  return {
    status: 200,
    headers: { "content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache" },
    body: serverSentEvents(pacedEvents(state, facts)),
  };
};

const modelNames = ["gpt-5.2-codex", "gpt-5.2", "gpt-5.2-mini"];

const listModels = async ({ state, request }: RequestContext): Promise<HttpResponse> => {
  await authenticate(state, request);
  const created = Math.floor(Date.UTC(2026, 0, 1) / 1000);
  const data = modelNames.map((id) => ({ id, object: "model", created, owned_by: "openai" }));
  // Codex reads `models` under its ChatGPT base; API clients read `data`.
  return json(200, { object: "list", data, models: [] });
};

/** Model requests (a stream of events, or one JSON object unless `stream` is true) and the list of models. */
export const responsesRoutes: ReadonlyArray<Route> = [
  {
    endpoint: "responses",
    method: "POST",
    pattern: path(`${modelBase}/responses`),
    handle: respond,
  },
  { endpoint: "models", method: "GET", pattern: path(`${modelBase}/models`), handle: listModels },
];
