import type { IncomingHttpHeaders } from "node:http";
import { inspect } from "node:util";
import type { Endpoint } from "./endpoint-names.ts";
import { assertEndpoint, isEndpoint } from "./endpoint-names.ts";
import { ExpectedRequestMissing } from "../errors.ts";

interface Facts {
  readonly endpoint: Endpoint;
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  readonly receivedAtMs: number;
}

/**
 * One request as it arrived, not redacted, so that a test can check every byte. Printing it shows only method, path and
 * status.
 *
 * @example
 * ```ts
 * import { startTestAuthority } from "@agent-auth/test-authority";
 *
 * await using authority = await startTestAuthority();
 * const body = new URLSearchParams({ grant_type: "authorization_code", code: "unknown" });
 * await fetch(`${authority.issuer}/oauth/token`, { method: "POST", body });
 * const [request] = authority.requestsTo("codeExchange");
 * if (request?.status !== 400 || request.form().get("code") !== "unknown")
 *   throw new Error("unexpected request");
 * ```
 */
export class RecordedRequest implements Facts {
  readonly endpoint: Endpoint;
  readonly method: string;
  /** Path without the query, still percent-encoded. */
  readonly path: string;
  readonly query: URLSearchParams;
  /** Names in lower case. */
  readonly headers: IncomingHttpHeaders;
  /** UTF-8, decompressed; empty for `echo`, whose body is never held in memory. */
  readonly body: string;
  /** Milliseconds since the epoch by the authority's clock. */
  readonly receivedAtMs: number;
  /** Status of the response; absent until it is sent, and if the connection was reset instead. */
  status?: number;
  /** Text messages that arrived over a WebSocket. */
  readonly messages: Array<string> = [];

  constructor(facts: Facts) {
    this.endpoint = facts.endpoint;
    this.method = facts.method;
    this.path = facts.path;
    this.query = facts.query;
    this.headers = facts.headers;
    this.body = facts.body;
    this.receivedAtMs = facts.receivedAtMs;
  }

  /** Parses the body as JSON. Throws `SyntaxError`. */
  json(): unknown {
    return JSON.parse(this.body);
  }

  /** Parses the body as a form (`application/x-www-form-urlencoded`). */
  form(): URLSearchParams {
    return new URLSearchParams(this.body);
  }

  toString(): string {
    return `${this.method} ${this.path} → ${this.status ?? "no response"}`;
  }

  toJSON(): unknown {
    const { endpoint, method, path, status } = this;
    return { endpoint, method, path, status };
  }

  [inspect.custom](): string {
    return `RecordedRequest(${this.toString()})`;
  }
}

/** Which request to wait for, and how long. */
export interface WaitOptions {
  /** Which matching request to wait for, counted from 1 over all recorded ones. Default 1. */
  readonly nth?: number;
  /** Further condition on the request. */
  readonly where?: (request: RecordedRequest) => boolean;
  /** Milliseconds. Default 5000. */
  readonly timeoutMs?: number;
}

interface Expectation {
  readonly endpoint: Endpoint;
  readonly times: number;
}

/** Records requests, lets tests wait for them, and checks that expected ones arrived. */
export class RequestLog {
  readonly #requests: Array<RecordedRequest> = [];
  readonly #watchers = new Set<() => void>();
  readonly #expectations: Array<Expectation> = [];

  get all(): ReadonlyArray<RecordedRequest> {
    return this.#requests;
  }

  add(request: RecordedRequest): RecordedRequest {
    this.#requests.push(request);
    for (const watcher of this.#watchers) watcher();
    return request;
  }

  to(endpoint: Endpoint): ReadonlyArray<RecordedRequest> {
    assertEndpoint(endpoint);
    return this.#requests.filter((request) => isEndpoint(request.endpoint, endpoint));
  }

  clear(): void {
    this.#requests.length = 0;
  }

  wait(endpoint: Endpoint, options: WaitOptions = {}): Promise<RecordedRequest> {
    const { nth = 1, where = () => true, timeoutMs = 5000 } = options;
    const found = () => this.to(endpoint).filter(where);
    return new Promise((resolve, reject) => {
      assertEndpoint(endpoint);
      const settle = () => {
        const request = found()[nth - 1];
        if (request === undefined) return;
        done();
        resolve(request);
      };
      const timer = setTimeout(() => {
        done();
        const received = found().length;
        reject(this.#missing(endpoint, nth, received));
      }, timeoutMs);
      const done = () => {
        clearTimeout(timer);
        this.#watchers.delete(settle);
      };
      this.#watchers.add(settle);
      settle();
    });
  }

  expect(endpoint: Endpoint, times: number): void {
    assertEndpoint(endpoint);
    this.#expectations.push({ endpoint, times });
  }

  /** Throws `ExpectedRequestMissing` for the first expectation with fewer requests than it asks for. */
  verify(): void {
    for (const { endpoint, times } of this.#expectations) {
      const received = this.to(endpoint).length;
      if (received < times) throw this.#missing(endpoint, times, received);
    }
  }

  #missing(endpoint: Endpoint, expected: number, received: number): ExpectedRequestMissing {
    const arrived = this.#requests.slice(-10).map(String);
    return new ExpectedRequestMissing({ endpoint, expected, received, arrived });
  }
}
