import { isJsonObject, parseJson } from "@agent-auth/agent-identity/encoding";
import type { RequestId, RpcAnswer } from "./connection.ts";

/** A request that was received. */
export interface IncomingRequest {
  readonly _tag: "Request";
  /** The id as JSON, to be repeated in the answer. An integer beyond 2^53 would not survive as a number. */
  readonly idJson: string;
  readonly method: string;
  readonly params: unknown;
}

/** A message that was received, by kind. */
export type Incoming =
  | IncomingRequest
  | { readonly _tag: "Notification"; readonly method: string; readonly params: unknown }
  | { readonly _tag: "Answer"; readonly id: RequestId; readonly answer: RpcAnswer };

/**
 * Reads one message. The member `jsonrpc` is not required. Returns `undefined` for what a Codex app server ignores: text
 * that is not JSON, batches, an id that is neither a string nor a 64-bit integer, and objects that are not a message.
 */
export const parseMessage = (text: string): Incoming | undefined => {
  const value = parseJson(text);
  if (!isJsonObject(value)) return undefined;
  const { error, id, method, params, result } = value;
  if (typeof method === "string") {
    if (id === undefined) return { _tag: "Notification", method, params };
    const idJson = idToJson(id, text);
    return idJson === undefined ? undefined : { _tag: "Request", idJson, method, params };
  }
  if (typeof id !== "string" && typeof id !== "number") return undefined;
  if (result !== undefined) return { _tag: "Answer", id, answer: { result } };
  if (!isJsonObject(error)) return undefined;
  const { code, data, message } = error;
  if (typeof code !== "number" || typeof message !== "string") return undefined;
  return {
    _tag: "Answer",
    id,
    answer: { error: { code, message, ...(data !== undefined && { data }) } },
  };
};

/** The text of an answer. */
export const encodeAnswer = (idJson: string, answer: RpcAnswer): string =>
  "result" in answer
    ? `{"id":${idJson},"result":${JSON.stringify(answer.result ?? null)}}`
    : `{"error":${JSON.stringify(answer.error)},"id":${idJson}}`;

/** The text of a request to a client. */
export const encodeRequest = (id: number, method: string, params: object): string =>
  JSON.stringify({ id, method, params });

/**
 * Returns a function that makes the text of a notification. Successive calls with the same method and `params` in one
 * turn of the event loop serialize it once.
 */
export const makeNotificationEncoder = (): ((method: string, params: object) => string) => {
  let last: { readonly method: string; readonly params: object; readonly text: string } | undefined;
  return (method, params) => {
    if (last?.params !== params || last.method !== method) {
      const text = JSON.stringify({ method, params, emittedAtMs: Date.now() });
      last = { method, params, text };
      // `params` may change in a later turn of the event loop. Dropping it also allows garbage collection.
      setImmediate(() => {
        if (last?.params === params) last = undefined;
      });
    }
    return last.text;
  };
};

const idToJson = (id: unknown, text: string): string | undefined => {
  if (typeof id === "string") return JSON.stringify(id);
  if (typeof id !== "number" || !Number.isInteger(id)) return undefined;
  return Number.isSafeInteger(id) ? String(id) : idAsWritten(text);
};

const minId = -(2n ** 63n);
const maxId = 2n ** 63n - 1n;

/**
 * Returns an id beyond 2^53 with the digits that the client wrote; `undefined` if the message is nested too deeply to be
 * parsed a second time.
 */
const idAsWritten = (text: string): string | undefined => {
  const written: { readonly holder: unknown; readonly source: string | undefined }[] = [];
  let message: unknown;
  try {
    message = JSON.parse(
      text,
      function (this: unknown, key, value, context?: { readonly source?: string }) {
        if (key === "id") written.push({ holder: this, source: context?.source });
        return value;
      },
    );
  } catch {
    return undefined; // with a reviver, JSON.parse recurses for each level, and the stack can overflow
  }
  const source = written.find(({ holder }) => holder === message)?.source;
  if (source === undefined || !/^-?\d{1,19}$/u.test(source)) return undefined;
  const id = BigInt(source);
  return id >= minId && id <= maxId ? id.toString() : undefined;
};
