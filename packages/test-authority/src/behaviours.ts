import type { Answer } from "./answer.ts";
import { json } from "./answer.ts";
import type { Endpoint } from "./endpoint-names.ts";
import { assertEndpoint, isEndpoint } from "./endpoint-names.ts";
import { messagePage } from "./pages/message.ts";
import type { RecordedRequest } from "./request-log.ts";

/** How an endpoint misbehaves. */
export type Behaviour =
  /** Never answers. The connection stays open until the client or the authority closes it. */
  | "hang"
  /** Closes the connection (TCP reset) instead of answering. */
  | "reset"
  /** Answers as usual, but cuts the connection in the middle of the body. */
  | "cut"
  /** 200 with `content-type: application/json` and text that is not JSON. */
  | "malformedJson"
  /** 200 with an HTML page, as a captive portal or a proxy answers. */
  | "html"
  /** Does as usual at once, and answers so many milliseconds later. */
  | { readonly delayMs: number }
  /** This answer, whatever was asked. A `body` that is not a string is sent as JSON. `delayMs` first, if given. */
  | {
      readonly status: number;
      readonly headers?: Readonly<Record<string, string>>;
      readonly body?: unknown;
      readonly delayMs?: number;
    }
  /** 200 and a valid JSON object padded with white space to so many bytes. */
  | { readonly oversizedBytes: number }
  /** Whatever this function makes of the request. */
  | { readonly answer: (request: RecordedRequest) => Answer | Promise<Answer> };

/** How long an endpoint misbehaves. */
export interface BehaviourOptions {
  /** How many requests it applies to. Default: all, until `reset` or the returned function. */
  readonly times?: number;
}

interface Entry {
  readonly endpoint: Endpoint;
  readonly behaviour: Behaviour;
  left: number;
}

/** A queue of behaviours: those for one endpoint apply in the order in which they were asked for. */
export class Behaviours {
  #entries: Array<Entry> = [];

  add(endpoint: Endpoint, behaviour: Behaviour, options: BehaviourOptions = {}): () => void {
    assertEndpoint(endpoint);
    const entry = { endpoint, behaviour, left: options.times ?? Number.POSITIVE_INFINITY };
    this.#entries.push(entry);
    return () => {
      this.#entries = this.#entries.filter((other) => other !== entry);
    };
  }

  /** Takes what the next request to this endpoint meets; undefined means business as usual. */
  take(endpoint: Endpoint): Behaviour | undefined {
    const entry = this.#entries.find((one) => one.left > 0 && isEndpoint(endpoint, one.endpoint));
    if (entry === undefined) return undefined;
    entry.left -= 1;
    return entry.behaviour;
  }

  reset(endpoint?: Endpoint): void {
    this.#entries =
      endpoint === undefined ? [] : this.#entries.filter((entry) => entry.endpoint !== endpoint);
  }
}

const oversized = (bytes: number): Answer => ({
  status: 200,
  headers: { "content-type": "application/json" },
  body: `{${" ".repeat(Math.max(0, bytes - 2))}}`,
});

type Delay = { readonly delayMs: number };
type OnConnection = "hang" | "reset" | "cut";

/** Whether the usual answer is wanted, only later. */
export const isDelay = (behaviour: Exclude<Behaviour, OnConnection>): behaviour is Delay =>
  typeof behaviour === "object" && "delayMs" in behaviour && !("status" in behaviour);

/** Milliseconds to wait before the answer is sent. */
export const delayOf = (behaviour: Exclude<Behaviour, OnConnection>): number =>
  typeof behaviour === "object" && "delayMs" in behaviour ? (behaviour.delayMs ?? 0) : 0;

/** The answer of those behaviours that are one; the others act on the connection. */
export const answerOf = (
  behaviour: Exclude<Behaviour, OnConnection | Delay>,
  request: RecordedRequest,
): Answer | Promise<Answer> => {
  if (behaviour === "malformedJson")
    return { status: 200, headers: { "content-type": "application/json" }, body: '{"cut": [1,' };
  if (behaviour === "html") return messagePage(200, "Guest network", "Sign in to go on.");
  if ("answer" in behaviour) return behaviour.answer(request);
  if ("oversizedBytes" in behaviour) return oversized(behaviour.oversizedBytes);
  const { status, headers, body } = behaviour;
  if (typeof body === "string")
    return { status, body, headers: { "content-type": "text/plain; charset=utf-8", ...headers } };
  const fallback = {
    error: { message: `steered to answer ${status}`, type: "server_error", code: "steered" },
  };
  return json(status, body ?? fallback, headers);
};
