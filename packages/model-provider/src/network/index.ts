import { makeDispatcher, defaultHeaders } from "@agent-auth/login/http";
import type { LoginEnvironment } from "@agent-auth/login/config/environment";
import * as Effect from "effect/Effect";
import * as Exit from "effect/Exit";
import * as Scope from "effect/Scope";
import type { Dispatcher } from "undici";
import { loadUndiciSend, type Send } from "../fetch/undici-send.ts";
import { explainingCertificates } from "./untrusted-certificate.ts";

export interface Network {
  /** What every request carries, unless it says otherwise: `originator` and `User-Agent`. Lower-case names. */
  readonly standing: Readonly<Record<string, string>>;
  readonly send: Send;
  readonly dispatcher: () => Promise<Dispatcher>;
  readonly close: () => Promise<void>;
}

/**
 * The network as the environment describes it: proxies, extra roots, `originator` and `User-Agent` on requests that
 * have none. undici and the certificates are loaded by the first request; one that cannot be loaded is tried again.
 */
export const openNetwork = (
  environment: LoginEnvironment,
  options: { readonly userAgent?: string; readonly originator?: string },
): Network => {
  const standing = defaultHeaders(environment, options);
  const scope = Scope.makeUnsafe();
  let dispatching: Promise<Dispatcher> | undefined;
  let sending: Promise<Send> | undefined;
  let ready: Send | undefined;
  const dispatcher = () =>
    (dispatching ??= Effect.runPromise(Scope.provide(makeDispatcher(environment), scope)).catch(
      (error: unknown) => {
        dispatching = undefined;
        throw error;
      },
    ));
  const load = async (): Promise<Send> => {
    try {
      ready = await (sending ??= dispatcher().then(loadUndiciSend).then(explainingCertificates));
      return ready;
    } catch (error) {
      sending = undefined;
      throw error;
    }
  };
  return {
    standing,
    dispatcher,
    send: async (url, init) =>
      (ready ?? (await load()))(url, { ...init, headers: { ...standing, ...init.headers } }),
    close: () => Effect.runPromise(Scope.close(scope, Exit.void)),
  };
};
