import { ServerOverloaded } from "../errors/index.ts";
import { toRpcError } from "../methods/rpc-error.ts";
import type { AccountConnection, ClientConnection, RpcAnswer, RpcError } from "./connection.ts";
import { encodeAnswer, encodeRequest, makeNotificationEncoder, parseMessage } from "./messages.ts";

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
}

/** What the sessions of a new server share. */
export const makeSessionHost = (open: SessionHost["open"]): SessionHost => {
  let requests = 0;
  return { open, nextRequestId: () => requests++, encodeNotification: makeNotificationEncoder() };
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

const attempt = <A>(body: () => A): A | undefined => {
  try {
    return body();
  } catch {
    return undefined;
  }
};

const encode = (idJson: string, answer: RpcAnswer): string =>
  attempt(() => encodeAnswer(idJson, answer)) ?? encodeAnswer(idJson, { error: internal });

/**
 * Connects a transport to the methods: parses messages, answers requests, sends requests to the client and matches their
 * answers. Memory is bounded whatever the client does: requests in flight are counted, and if a client does not read, the
 * server first stops reading from it, then disconnects it.
 */
export const openSession = (transport: TextTransport, host: SessionHost): Session => {
  let isClosed = false;
  let inFlight = 0;
  let isCongested = false;
  let isPaused = false;
  /** What was received while the session was full or congested: at most what one read from the client contained. */
  let backlog: string[] = [];
  let isTurnScheduled = false;
  const asked = new Map<number, (answer: RpcAnswer) => void>();
  const waiting: (() => void)[] = [];

  const send = (text: string): void => {
    if (isClosed) return;
    transport.send(text);
    const unread = transport.bufferedBytes();
    if (unread > MAX_UNREAD_BYTES) {
      transport.abort();
    } else if (unread > CONGESTED_BYTES) {
      isCongested = true;
      setPaused();
    }
  };

  const setPaused = (): void => {
    const shouldPause = isCongested || backlog.length > 0;
    if (shouldPause === isPaused || isClosed) return;
    isPaused = shouldPause;
    transport.setPaused(isPaused);
  };

  const methods = host.open({
    notify: (method, params) => send(host.encodeNotification(method, params)),
    request: (method, params, signal) =>
      new Promise((resolve, reject) => {
        if (isClosed) return reject(disconnected);
        if (signal.aborted) return reject(cancelled);
        const id = host.nextRequestId();
        const cancel = () => settle({ error: cancelled });
        const settle = (answer: RpcAnswer) => {
          asked.delete(id);
          signal.removeEventListener("abort", cancel);
          if ("error" in answer) reject(answer.error);
          else resolve(answer.result);
        };
        signal.addEventListener("abort", cancel, { once: true });
        asked.set(id, settle);
        send(encodeRequest(id, method, params));
      }),
  });

  const resolveIfSettled = (): void => {
    if (!isClosed && (inFlight > 0 || backlog.length > 0)) return;
    for (const resolve of waiting.splice(0)) resolve();
  };

  const answered = (idJson: string, answer: RpcAnswer): void => {
    inFlight -= 1;
    send(encode(idJson, answer));
    resolveIfSettled();
  };

  /** Returns false if the request has to wait for a later turn of the event loop, because too many are in flight. */
  const handle = (text: string, mayReject: boolean): boolean => {
    const message = parseMessage(text);
    switch (message?._tag) {
      case "Request": {
        if (inFlight >= MAX_REQUESTS_IN_FLIGHT) {
          if (mayReject) send(encodeAnswer(message.idJson, { error: overloaded }));
          return mayReject;
        }
        inFlight += 1;
        const { idJson } = message;
        const answer = attempt(() => methods.request(message.method, message.params));
        if (answer instanceof Promise)
          answer.then(
            (settled) => answered(idJson, settled),
            () => answered(idJson, { error: internal }),
          );
        else answered(idJson, answer ?? { error: internal });
        return true;
      }
      case "Notification":
        attempt(() => methods.notification(message.method, message.params));
        return true;
      case "Answer":
        if (typeof message.id === "number") asked.get(message.id)?.(message.answer);
        return true;
      default:
        return true;
    }
  };

  /** Processes the backlog, at most 128 messages in one turn of the event loop. */
  const turn = (): void => {
    isTurnScheduled = false;
    const rejects = inFlight >= MAX_REQUESTS_IN_FLIGHT;
    let done = 0;
    for (const text of backlog.slice(0, MAX_REQUESTS_IN_FLIGHT)) {
      if (isCongested || isClosed || !handle(text, rejects)) break;
      done += 1;
    }
    backlog = isClosed ? [] : backlog.slice(done);
    resolveIfSettled();
    scheduleTurn();
    setPaused();
  };

  const scheduleTurn = (): void => {
    if (isTurnScheduled || isCongested || backlog.length === 0) return;
    isTurnScheduled = true;
    setImmediate(turn);
  };

  return {
    receive: (text) => {
      if (isClosed) return;
      if (backlog.length === 0 && !isCongested && handle(text, false)) return;
      backlog.push(text);
      scheduleTurn();
      setPaused();
    },
    drained: () => {
      if (!isCongested || transport.bufferedBytes() > 0) return;
      isCongested = false;
      scheduleTurn();
      setPaused();
    },
    close: () => {
      if (isClosed) return;
      isClosed = true;
      backlog = [];
      for (const settle of asked.values()) settle({ error: disconnected });
      methods.close();
      resolveIfSettled();
    },
    settled: () =>
      new Promise((resolve) => {
        waiting.push(resolve);
        resolveIfSettled();
      }),
  };
};
