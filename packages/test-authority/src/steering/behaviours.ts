import type { HttpResponse } from "../http/response.ts";
import { json } from "../http/response.ts";
import type { Endpoint } from "./endpoint-names.ts";
import { assertEndpoint, isEndpoint, isTokenGrant } from "./endpoint-names.ts";
import { messagePage } from "../pages/layout.ts";
import type { RecordedRequest } from "./request-log.ts";

/** How an endpoint misbehaves. */
export type Behaviour =
  /** Never responds. The connection stays open until the client or the authority closes it. */
  | "hang"
  /** Closes the connection (TCP reset) instead of responding. */
  | "reset"
  /**
   * Resets the connection when a request arrives on one that has served a request before, as a server does whose
   * keep-alive time has run out. `times` counts the resets: requests on new connections are served as usual.
   */
  | "resetReused"
  /** Responds as usual, but cuts the connection in the middle of the body. */
  | "cut"
  /** 200 with `content-type: application/json` and text that is not JSON. */
  | "malformedJson"
  /** 200 with an HTML page, as a captive portal or a proxy responds. */
  | "html"
  /** Handles the request at once, and sends the response this many milliseconds later. */
  | { readonly delayMs: number }
  /** Responds as usual, with an additional header whose value has this many bytes. */
  | { readonly headerBytes: number }
  /** Handles the request as usual (a refresh token is spent), then sends what this function makes of the response. */
  | {
      readonly change: (
        response: HttpResponse,
        request: RecordedRequest,
      ) => HttpResponse | Promise<HttpResponse>;
    }
  /** This response to every request. A `body` that is neither text nor bytes is sent as JSON. */
  | FixedResponse
  /** 200 and a valid JSON object padded with white space to this many bytes. */
  | { readonly oversizedBytes: number }
  /** The response that this function returns; the endpoint does not run. */
  | { readonly respond: (request: RecordedRequest) => HttpResponse | Promise<HttpResponse> };

/** A response that does not depend on the request. */
export interface FixedResponse {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  /** Milliseconds to wait first. Default 0. */
  readonly delayMs?: number;
  /**
   * Responds as soon as the request's headers have arrived, then closes the connection while the client may still be
   * sending the body. The recorded request has an empty body.
   */
  readonly early?: boolean;
}

/** Options of `behave`. */
export interface BehaviourOptions {
  /** How many requests the behaviour applies to. Default: all, until it is removed. */
  readonly times?: number;
}

interface Entry {
  readonly endpoint: Endpoint;
  readonly behaviour: Behaviour;
  left: number;
}

/** A queue of behaviours. Those of one endpoint apply in the order in which they were added. */
export class Behaviours {
  #entries: Array<Entry> = [];

  add(endpoint: Endpoint, behaviour: Behaviour, options: BehaviourOptions = {}): () => void {
    assertEndpoint(endpoint);
    if ((behaviour === "resetReused" || isEarly(behaviour)) && isTokenGrant(endpoint))
      throw new TypeError(
        `only the body distinguishes ${endpoint} from other grants: use the endpoint token`,
      );
    const entry = { endpoint, behaviour, left: options.times ?? Number.POSITIVE_INFINITY };
    this.#entries.push(entry);
    return () => {
      this.#entries = this.#entries.filter((other) => other !== entry);
    };
  }

  /** The behaviour of the next request to this endpoint; undefined if it responds as usual. */
  take(endpoint: Endpoint): Behaviour | undefined {
    const entry = this.#next(endpoint);
    // Only a request on a reused connection counts, and it was taken before its body was read.
    if (entry === undefined || entry.behaviour === "resetReused") return undefined;
    entry.left -= 1;
    return entry.behaviour;
  }

  /** The same, if the behaviour applies before the request's body is read. */
  takeEarly(endpoint: Endpoint, isReused: boolean): Behaviour | undefined {
    const entry = this.#next(endpoint);
    if (entry === undefined) return undefined;
    const applies = entry.behaviour === "resetReused" ? isReused : isEarly(entry.behaviour);
    if (!applies) return undefined;
    entry.left -= 1;
    return entry.behaviour;
  }

  #next(endpoint: Endpoint): Entry | undefined {
    return this.#entries.find((one) => one.left > 0 && isEndpoint(endpoint, one.endpoint));
  }

  reset(endpoint?: Endpoint): void {
    this.#entries =
      endpoint === undefined ? [] : this.#entries.filter((entry) => entry.endpoint !== endpoint);
  }
}

const oversized = (bytes: number): HttpResponse => ({
  status: 200,
  headers: { "content-type": "application/json" },
  body: Buffer.concat([
    Buffer.from("{"),
    Buffer.alloc(Math.max(0, bytes - 2), " "),
    Buffer.from("}"),
  ]),
});

type OnConnection = "hang" | "reset" | "resetReused" | "cut";
type Usual = Extract<
  Behaviour,
  { readonly headerBytes: number } | { readonly change: unknown } | { readonly delayMs: number }
>;

/** Whether the behaviour comes before the request's body is read. */
export const isEarly = (behaviour: Behaviour): behaviour is FixedResponse =>
  typeof behaviour === "object" && "status" in behaviour && behaviour.early === true;

/** Whether the endpoint handles the request, and only its response is late or changed. */
export const isUsual = (behaviour: Exclude<Behaviour, OnConnection>): behaviour is Usual =>
  typeof behaviour === "object" &&
  !("status" in behaviour) &&
  ("delayMs" in behaviour || "headerBytes" in behaviour || "change" in behaviour);

/** Milliseconds to wait before the response is sent. */
export const delayOf = (behaviour: Exclude<Behaviour, OnConnection>): number =>
  typeof behaviour === "object" && "delayMs" in behaviour ? (behaviour.delayMs ?? 0) : 0;

/** The response with an additional header of this many bytes. */
export const withHeader = (response: HttpResponse, bytes: number): HttpResponse => ({
  ...response,
  headers: { ...response.headers, "x-padding": "x".repeat(bytes) },
});

/** The response of a behaviour under which the endpoint does not run. */
export const responseOf = (
  behaviour: Exclude<Behaviour, OnConnection | Usual>,
  request: RecordedRequest,
): HttpResponse | Promise<HttpResponse> => {
  if (behaviour === "malformedJson")
    return { status: 200, headers: { "content-type": "application/json" }, body: '{"cut": [1,' };
  if (behaviour === "html") return messagePage(200, "Guest network", "Sign in to continue.");
  if ("respond" in behaviour) return behaviour.respond(request);
  if ("oversizedBytes" in behaviour) return oversized(behaviour.oversizedBytes);
  const { status, headers, body } = behaviour;
  if (typeof body === "string" || body instanceof Uint8Array)
    return { status, body, headers: { "content-type": "text/plain; charset=utf-8", ...headers } };
  const fallback = {
    error: { message: `the test asked for ${status}`, type: "server_error", code: "steered" },
  };
  return json(status, body ?? fallback, headers);
};
