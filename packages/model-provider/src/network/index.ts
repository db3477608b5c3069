import { isUntrustedCertificateCode } from "@agent-auth/agent-identity/http";
import type { LoginEnvironment } from "@agent-auth/login/config/environment";
import { defaultHeaders, makeDispatcher } from "@agent-auth/login/http";
import * as Effect from "effect/Effect";
import * as Exit from "effect/Exit";
import * as Scope from "effect/Scope";
import type { Dispatcher } from "undici";
import { CertificateUntrusted } from "../errors/index.ts";
import { loadUndiciFetch, type SendRequest } from "../fetch/undici-fetch.ts";

export interface Network {
  /** Headers of every request that does not set them itself: `originator` and `User-Agent`. Lower-case names. */
  readonly defaultHeaders: Readonly<Record<string, string>>;
  readonly send: SendRequest;
  readonly dispatcher: () => Promise<Dispatcher>;
  readonly close: () => Promise<void>;
}

/**
 * Returns the network that the environment describes: its proxies and extra root certificates. undici and the
 * certificates are loaded by the first request; if that fails, the next request tries again.
 */
export const openNetwork = (
  environment: LoginEnvironment,
  options: { readonly userAgent?: string; readonly originator?: string },
): Network => {
  const headers = defaultHeaders(environment, options);
  const scope = Scope.makeUnsafe();
  const dispatcher = retriedOnce(() =>
    Effect.runPromise(Scope.provide(makeDispatcher(environment), scope)),
  );
  const loaded = retriedOnce(async () =>
    explainingCertificates(await loadUndiciFetch(await dispatcher())),
  );
  return {
    defaultHeaders: headers,
    dispatcher,
    send: async (url, init) =>
      (await loaded())(url, { ...init, headers: { ...headers, ...init.headers } }),
    close: () => Effect.runPromise(Scope.close(scope, Exit.void)),
  };
};

/** Shares one promise between all callers, and forgets it if it rejects. */
const retriedOnce = <A>(make: () => Promise<A>): (() => Promise<A>) => {
  let shared: Promise<A> | undefined;
  return () =>
    (shared ??= make().catch((error: unknown) => {
      shared = undefined;
      throw error;
    }));
};

/** An untrusted certificate gets an error that says what to do. It stays a `TypeError` with a `cause`, as fetch has it. */
const explainingCertificates =
  (send: SendRequest): SendRequest =>
  async (url, init) => {
    try {
      return await send(url, init);
    } catch (error) {
      throw explained(error, url);
    }
  };

const explained = (error: unknown, url: string): unknown => {
  const cause = error instanceof Error ? error.cause : undefined;
  if (!(cause instanceof Error) || !("code" in cause) || !isUntrustedCertificateCode(cause.code))
    return error;
  const { origin } = new URL(url);
  return new TypeError("fetch failed", {
    cause: new CertificateUntrusted({ origin, reason: String(cause.code) }),
  });
};
