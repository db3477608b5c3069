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
type UndiciModule = typeof import("@agent-auth/agent-identity/http/undici");

/** undici, with what its shared agent needs. */
export interface LoadedUndici
  extends
    Pick<Undici, "Agent" | "FormData" | "WebSocket" | "fetch">,
    Pick<UndiciModule, "checkedDispatcher" | "explainDispatcherError"> {
  /** Replaces undici's global dispatcher, which may belong to the other version that is bundled with Node. */
  readonly sharedAgent: () => Dispatcher;
}

let agent: Dispatcher | undefined;

/** Loads undici and the code around it. */
export const loadUndici = async (): Promise<LoadedUndici> => {
  const [{ checkedDispatcher, explainDispatcherError, importUndici }, { earlyResponseConnector }] =
    await Promise.all([
      import("@agent-auth/agent-identity/http/undici"),
      import("@agent-auth/login/http"),
    ]);
  const undici = await importUndici();
  const { Agent, FormData, WebSocket, fetch } = undici;
  const sharedAgent = () =>
    (agent ??= new Agent({
      connect: earlyResponseConnector(undici, {}),
      maxHeaderSize: maxResponseHeaderBytes,
    }));
  return {
    Agent,
    FormData,
    WebSocket,
    fetch,
    sharedAgent,
    checkedDispatcher,
    explainDispatcherError,
  };
};

/** Loads undici and returns its fetch over a dispatcher; default: an `Agent` that all callers share. */
export const loadUndiciFetch = async (dispatcher: Dispatcher | undefined): Promise<SendRequest> => {
  const undici = await loadUndici();
  const fallback = undici.checkedDispatcher(dispatcher ?? undici.sharedAgent());
  return async (url, init) => {
    try {
      return await undici.fetch(url, {
        ...init,
        // A caller may pass its own dispatcher in `init`, as with Node's fetch.
        dispatcher: init.dispatcher ? undici.checkedDispatcher(init.dispatcher) : fallback,
        body: isFormData(init.body) ? undiciForm(undici, init.body) : (init.body ?? null),
      });
    } catch (error) {
      throw undici.explainDispatcherError(error);
    }
  };
};

/** undici knows only its own `FormData`. It would send the global one as the text "[object FormData]". */
const undiciForm = (undici: LoadedUndici, form: FormData): UndiciFormData => {
  const copy = new undici.FormData();
  for (const [name, value] of form)
    if (typeof value === "string") copy.append(name, value);
    else copy.append(name, value, value.name);
  return copy;
};
