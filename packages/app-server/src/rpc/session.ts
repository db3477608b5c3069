import { ServerOverloaded } from "../errors/index.ts";
import { toRpcError } from "../methods/rpc-error.ts";
import type { AccountConnection, ClientConnection, RpcAnswer, RpcError } from "./connection.ts";
import {
  encodeAnswer,
  encodeRequest,
  type IncomingRequest,
  makeNotificationEncoder,
  parseMessage,
} from "./messages.ts";

/** Carries the messages of one client, as text in both directions. */
export interface TextTransport {
  /** Sends one message. Ignored once the transport is closed. */
  readonly send: (text: string) => void;
  /** Bytes that were sent and that the client has not read yet. */
  readonly bufferedBytes: () => number;
  /** Stops and resumes reading from the client. */
  readonly setPaused: (isPaused: boolean) => void;
  /** Ends the connection at once, because the client does not read. */
  readonly abort: () => void;
}

/** What all sessions of a server share. */
export interface SessionHost {
  /** Mounts the methods of a new connection. */
  readonly open: (client: ClientConnection) => AccountConnection;
  /** Ids of requests to clients: integers from 0, counted per server. */
  readonly nextRequestId: () => number;
  readonly encodeNotification: (method: string, params: object) => string;
  /** Called with one line, without secrets, if a handler throws or rejects, or if its result is not JSON. */
  readonly onWarning: (message: string) => void;
}

/** What the sessions of a new server share. */
export const makeSessionHost = (
  open: SessionHost["open"],
  onWarning: SessionHost["onWarning"] = () => {},
): SessionHost => {
  let requests = 0;
  const encodeNotification = makeNotificationEncoder();
  return { open, nextRequestId: () => requests++, encodeNotification, onWarning };
};

/** The messages of one client. Its transport calls these functions. */
export interface Session {
  readonly receive: (text: string) => void;
  /** The client has read some of what was buffered. */
  readonly drained: () => void;
  /** The connection has ended: requests to the client fail. */
  readonly close: () => void;
  /** Resolves when every request that was received is answered. */
  readonly settled: () => Promise<void>;
}

/** The longest message that a client may send. */
export const MAX_MESSAGE_BYTES = 256 * 1024;

/** Requests of one client that may wait for their answer at once. */
export const MAX_REQUESTS_IN_FLIGHT = 128;

/** With more unread bytes than this, the client is not read from until it has caught up. */
const CONGESTED_BYTES = 256 * 1024;

/** With more unread bytes than this, the client is disconnected. */
export const MAX_UNREAD_BYTES = 1024 * 1024;

const overloaded = toRpcError(new ServerOverloaded());
const disconnected: RpcError = { code: -32603, message: "the client has disconnected" };
/** A handler threw or rejected, or its result is not JSON: a bug, which must not end the server. */
const internal: RpcError = { code: -32603, message: "internal error" };
const cancelled: RpcError = { code: -32603, message: "the request was cancelled" };

/**
 * Describes an exception by its class and the place where it was thrown. Its message is left out, because it may repeat a
 * token; so is a method that is longer than those of the protocol.
 */
const describeBug = (method: string, error: unknown): string => {
  const name = error instanceof Error ? error.constructor.name : typeof error;
  const stack = error instanceof Error ? (error.stack ?? "") : "";
  const place = /^ {4}at (.{1,300})$/mu.exec(stack)?.[1];
  const shown = /^[\w/]{1,64}$/u.test(method) ? method : "a method";
  return `the handler of ${shown} failed: ${name}${place === undefined ? "" : ` at ${place}`}`;
};

/**
 * Connects a transport to the methods: parses messages, answers requests, sends requests to the client and matches their
 * answers. Memory is bounded whatever the client does: requests in flight are counted, and if a client does not read, the
 * server first stops reading from it, then disconnects it.
 */
export const openSession = (transport: TextTransport, host: SessionHost): Session =>
  new ClientSession(transport, host);

class ClientSession implements Session {
  readonly #transport: TextTransport;
  readonly #host: SessionHost;
  readonly #methods: AccountConnection;
  /** Requests to the client that wait for its answer, by id. */
  readonly #asked = new Map<number, (answer: RpcAnswer) => void>();
  readonly #untilSettled: (() => void)[] = [];
  /** What was received while the session was full or congested: at most what one read from the client contained. */
  #backlog: string[] = [];
  #inFlight = 0;
  #isClosed = false;
  #isCongested = false;
  #isPaused = false;
  #isTurnScheduled = false;

  constructor(transport: TextTransport, host: SessionHost) {
    this.#transport = transport;
    this.#host = host;
    this.#methods = host.open({
      notify: (method, params) => this.#send(host.encodeNotification(method, params)),
      request: (method, params, signal) => this.#ask(method, params, signal),
    });
  }

  readonly receive = (text: string): void => {
    if (this.#isClosed) return;
    if (this.#backlog.length === 0 && !this.#isCongested && this.#handle(text, false)) return;
    this.#backlog.push(text);
    this.#scheduleTurn();
    this.#setPaused();
  };

  readonly drained = (): void => {
    if (!this.#isCongested || this.#transport.bufferedBytes() > 0) return;
    this.#isCongested = false;
    this.#scheduleTurn();
    this.#setPaused();
  };

  readonly close = (): void => {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#backlog = [];
    for (const settle of this.#asked.values()) settle({ error: disconnected });
    this.#methods.close();
    this.#resolveIfSettled();
  };

  readonly settled = (): Promise<void> =>
    new Promise((resolve) => {
      this.#untilSettled.push(resolve);
      this.#resolveIfSettled();
    });

  #send(text: string): void {
    if (this.#isClosed) return;
    this.#transport.send(text);
    const unread = this.#transport.bufferedBytes();
    if (unread > MAX_UNREAD_BYTES) {
      this.#transport.abort();
    } else if (unread > CONGESTED_BYTES) {
      this.#isCongested = true;
      this.#setPaused();
    }
  }

  #setPaused(): void {
    const shouldPause = this.#isCongested || this.#backlog.length > 0;
    if (shouldPause === this.#isPaused || this.#isClosed) return;
    this.#isPaused = shouldPause;
    this.#transport.setPaused(shouldPause);
  }

  /** Sends a request to the client and resolves to its result. */
  #ask(method: string, params: object, signal: AbortSignal): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (this.#isClosed) return reject(disconnected);
      if (signal.aborted) return reject(cancelled);
      const id = this.#host.nextRequestId();
      const cancel = () => settle({ error: cancelled });
      const settle = (answer: RpcAnswer) => {
        this.#asked.delete(id);
        signal.removeEventListener("abort", cancel);
        if ("error" in answer) reject(answer.error);
        else resolve(answer.result);
      };
      signal.addEventListener("abort", cancel, { once: true });
      this.#asked.set(id, settle);
      this.#send(encodeRequest(id, method, params));
    });
  }

  /** Returns false if the request has to wait for a later turn of the event loop, because too many are in flight. */
  #handle(text: string, mayReject: boolean): boolean {
    const message = parseMessage(text);
    switch (message?._tag) {
      case "Request":
        if (this.#inFlight < MAX_REQUESTS_IN_FLIGHT) this.#answer(message);
        else if (mayReject) this.#send(encodeAnswer(message.idJson, { error: overloaded }));
        else return false;
        return true;
      case "Notification":
        this.#attempt(message.method, () =>
          this.#methods.notification(message.method, message.params),
        );
        return true;
      case "Answer":
        if (typeof message.id === "number") this.#asked.get(message.id)?.(message.answer);
        return true;
      default:
        return true;
    }
  }

  #answer({ idJson, method, params }: IncomingRequest): void {
    this.#inFlight += 1;
    const answer = this.#attempt(method, () => this.#methods.request(method, params));
    if (answer instanceof Promise)
      answer.then(
        (settled) => this.#answered(idJson, method, settled),
        (error: unknown) => {
          this.#host.onWarning(describeBug(method, error));
          this.#answered(idJson, method, { error: internal });
        },
      );
    else this.#answered(idJson, method, answer ?? { error: internal });
  }

  #answered(idJson: string, method: string, answer: RpcAnswer): void {
    this.#inFlight -= 1;
    const text = this.#attempt(method, () => encodeAnswer(idJson, answer));
    this.#send(text ?? encodeAnswer(idJson, { error: internal }));
    this.#resolveIfSettled();
  }

  #attempt<A>(method: string, body: () => A): A | undefined {
    try {
      return body();
    } catch (error) {
      this.#host.onWarning(describeBug(method, error));
      return undefined;
    }
  }

  #resolveIfSettled(): void {
    if (!this.#isClosed && (this.#inFlight > 0 || this.#backlog.length > 0)) return;
    for (const resolve of this.#untilSettled.splice(0)) resolve();
  }

  #scheduleTurn(): void {
    if (this.#isTurnScheduled || this.#isCongested || this.#backlog.length === 0) return;
    this.#isTurnScheduled = true;
    setImmediate(() => this.#turn());
  }

  /** Processes the backlog, at most 128 messages in one turn of the event loop. */
  #turn(): void {
    this.#isTurnScheduled = false;
    const mayReject = this.#inFlight >= MAX_REQUESTS_IN_FLIGHT;
    let done = 0;
    for (const text of this.#backlog.slice(0, MAX_REQUESTS_IN_FLIGHT)) {
      if (this.#isCongested || this.#isClosed || !this.#handle(text, mayReject)) break;
      done += 1;
    }
    this.#backlog = this.#isClosed ? [] : this.#backlog.slice(done);
    this.#resolveIfSettled();
    this.#scheduleTurn();
    this.#setPaused();
  }
}
