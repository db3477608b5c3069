import { randomBytes } from "node:crypto";
import { epochSeconds } from "../steering/clock.ts";

export interface ModelReplyFacts {
  readonly model: string;
  readonly text: string;
  readonly inputTokens: number;
  readonly nowMs: number;
}

/** One event of the Responses API, in SSE and over WebSocket. */
export interface ResponseEvent {
  readonly type: string;
  readonly sequence_number: number;
  readonly [field: string]: unknown;
}

const id = (prefix: string): string => `${prefix}_${randomBytes(12).toString("hex")}`;
/** Splits the text into words, each with the space before it. */
const pieces = (text: string): ReadonlyArray<string> => text.match(/\s*\S+\s*$|\s*\S+/g) ?? [text];

const textPart = (text: string) => ({ type: "output_text", text, annotations: [], logprobs: [] });

const message = (itemId: string, status: string, content: ReadonlyArray<unknown>) => ({
  id: itemId,
  type: "message",
  role: "assistant",
  status,
  content,
});

const responseAt = (
  facts: ModelReplyFacts,
  responseId: string,
  status: "in_progress" | "completed",
  output: ReadonlyArray<unknown>,
) => {
  const outputTokens = pieces(facts.text).length;
  const usage = {
    input_tokens: facts.inputTokens,
    input_tokens_details: { cached_tokens: 0 },
    output_tokens: outputTokens,
    output_tokens_details: { reasoning_tokens: 0 },
    total_tokens: facts.inputTokens + outputTokens,
  };
  return {
    id: responseId,
    object: "response",
    created_at: epochSeconds(facts.nowMs),
    status,
    error: null,
    incomplete_details: null,
    instructions: null,
    max_output_tokens: null,
    model: facts.model,
    output,
    parallel_tool_calls: true,
    previous_response_id: null,
    reasoning: { effort: null, summary: null },
    store: false,
    temperature: 1,
    text: { format: { type: "text" } },
    tool_choice: "auto",
    tools: [],
    top_p: 1,
    truncation: "disabled",
    usage: status === "completed" ? usage : null,
    user: null,
    metadata: {},
  };
};

/** The completed response object, for a request without `stream: true`. */
export const completedResponse = (facts: ModelReplyFacts) =>
  responseAt(facts, id("resp"), "completed", [
    message(id("msg"), "completed", [textPart(facts.text)]),
  ]);

/** The same reply as a stream of events, from `response.created` to `response.completed`. */
export const responseEvents = (facts: ModelReplyFacts): ReadonlyArray<ResponseEvent> => {
  const responseId = id("resp");
  const itemId = id("msg");
  const place = { item_id: itemId, output_index: 0, content_index: 0 };
  const started = responseAt(facts, responseId, "in_progress", []);
  const done = message(itemId, "completed", [textPart(facts.text)]);
  const events = [
    { type: "response.created", response: started },
    { type: "response.in_progress", response: started },
    {
      type: "response.output_item.added",
      output_index: 0,
      item: message(itemId, "in_progress", []),
    },
    { type: "response.content_part.added", ...place, part: textPart("") },
    ...pieces(facts.text).map((delta) => ({
      type: "response.output_text.delta",
      ...place,
      delta,
      logprobs: [],
    })),
    { type: "response.output_text.done", ...place, text: facts.text, logprobs: [] },
    { type: "response.content_part.done", ...place, part: textPart(facts.text) },
    { type: "response.output_item.done", output_index: 0, item: done },
    {
      type: "response.completed",
      response: responseAt(facts, responseId, "completed", [done]),
    },
  ];
  return events.map((event, index) => ({ ...event, sequence_number: index }));
};
