import { maxResponseHeaderBytes } from "@agent-auth/agent-identity/http";
import type { Dispatcher, FormData as UndiciFormData } from "undici";
import { isFormData } from "../requests/body.ts";

/** fetch's settings with the headers as a plain record. */
export interface SendInit extends Omit<RequestInit, "headers"> {
  readonly headers: Record<string, string>;
}

/** Sends one request. This is all that is needed of a `fetch`. */
export type SendRequest = (url: string, init: SendInit) => Promise<Response>;

type Undici = typeof import("undici");

export const loadUndici = (): Promise<Undici> => import("undici");

/** Loads undici and returns its fetch over a dispatcher; default: an `Agent` that all callers share. */
export const loadUndiciFetch = async (dispatcher: Dispatcher | undefined): Promise<SendRequest> => {
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

/** Not undici's global dispatcher, which may be the one of another version that is bundled with Node. */
export const sharedAgent = (undici: Undici): Dispatcher =>
  (agent ??= new undici.Agent({ maxHeaderSize: maxResponseHeaderBytes }));

/** A caller may pass its own dispatcher in `init`, as with Node's fetch. */
const isDispatcher = (value: unknown): value is Dispatcher =>
  typeof value === "object" &&
  value !== null &&
  "dispatch" in value &&
  typeof value.dispatch === "function";

/** undici knows only its own `FormData`. It would send the global one as the text "[object FormData]". */
const undiciForm = (undici: Undici, form: FormData): UndiciFormData => {
  const copy = new undici.FormData();
  for (const [name, value] of form)
    if (typeof value === "string") copy.append(name, value);
    else copy.append(name, value, value.name);
  return copy;
};
