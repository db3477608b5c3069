import type { Dispatcher } from "undici";
import type { FetchBody } from "./fetch-types.ts";
import { isFormData } from "./replay.ts";

/** What `Send` is given: fetch's settings with the headers as a plain record. */
export interface SendInit extends Omit<RequestInit, "headers"> {
  readonly headers: Record<string, string>;
}

/** Sends one request; the whole surface of `fetch` that the faces use. */
export type Send = (url: string, init: SendInit) => Promise<Response>;

type Undici = typeof import("undici");

export const loadUndici = (): Promise<Undici> => import("undici");

/** undici's fetch over a dispatcher. undici is loaded by the first call of this function and not before. */
export const loadUndiciSend = async (dispatcher: Dispatcher | undefined): Promise<Send> => {
  const undici = await loadUndici();
  const fallback = dispatcher ?? sharedAgent(undici);
  return (url, { body, dispatcher: own, ...init }) =>
    undici.fetch(url, {
      ...init,
      dispatcher: isDispatcher(own) ? own : fallback,
      ...(body === undefined || body === null ? {} : { body: undiciBody(undici, body) }),
    });
};

let agent: Dispatcher | undefined;

/** Not undici's global dispatcher: that may be the one bundled with Node, whose version differs. */
export const sharedAgent = (undici: Undici): Dispatcher => (agent ??= new undici.Agent());

/** A caller's own dispatcher in `init`, which `fetch` allows in Node. */
const isDispatcher = (value: unknown): value is Dispatcher =>
  typeof value === "object" &&
  value !== null &&
  "dispatch" in value &&
  typeof value.dispatch === "function";

/** undici knows its own `FormData` only, and would send the global one as the text "[object FormData]". */
const undiciBody = (undici: Undici, body: FetchBody) => {
  if (!isFormData(body)) return body;
  const copy = new undici.FormData();
  for (const [name, value] of body)
    if (typeof value === "string") copy.append(name, value);
    else copy.append(name, value, value.name);
  return copy;
};
