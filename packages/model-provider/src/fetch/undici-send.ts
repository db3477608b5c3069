import { maxResponseHeaderBytes } from "@agent-auth/agent-identity/http";
import type { Dispatcher, FormData as UndiciFormData } from "undici";
import { isFormData } from "../requests/replay.ts";

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
  return (url, init) =>
    undici.fetch(url, {
      ...init,
      dispatcher: isDispatcher(init.dispatcher) ? init.dispatcher : fallback,
      body: isFormData(init.body) ? undiciForm(undici, init.body) : (init.body ?? null),
    });
};

let agent: Dispatcher | undefined;

/** Not undici's global dispatcher: that may be the one bundled with Node, whose version differs. */
export const sharedAgent = (undici: Undici): Dispatcher =>
  (agent ??= new undici.Agent({ maxHeaderSize: maxResponseHeaderBytes }));

/** A caller's own dispatcher in `init`, which `fetch` allows in Node. */
const isDispatcher = (value: unknown): value is Dispatcher =>
  typeof value === "object" &&
  value !== null &&
  "dispatch" in value &&
  typeof value.dispatch === "function";

/** undici knows its own `FormData` only, and would send the global one as the text "[object FormData]". */
const undiciForm = (undici: Undici, form: FormData): UndiciFormData => {
  const copy = new undici.FormData();
  for (const [name, value] of form)
    if (typeof value === "string") copy.append(name, value);
    else copy.append(name, value, value.name);
  return copy;
};
