import { DispatcherNotSupported } from "@agent-auth/agent-identity/errors";
import { explainDispatcherError } from "@agent-auth/agent-identity/http/undici";
import type { Dispatcher } from "undici";
import { assertMethodAllowed, dispatchesToProvider } from "../requests/destination.ts";
import { type RequestOptions, requestTools } from "../requests/options.ts";
import type { SignerOptions } from "../signing/request-signer.ts";
import type { SignedHeaders } from "../signing/signed-headers.ts";
import { type DispatchTools, RequestRun } from "./request-run.ts";

/** The interceptor behind `authInterceptor`. `onStatus` is called for every response, discarded ones included. */
export const makeInterceptor = (
  options: SignerOptions & RequestOptions,
  onStatus?: (status: number) => void,
): Dispatcher.DispatcherComposeInterceptor => {
  const { otherOrigins, ...shared } = requestTools(options);
  const { signer } = shared;
  /** Whether the request gets the credential. Throws if it must not be sent at all. */
  const isAuthenticated = (request: Dispatcher.DispatchOptions, signed: SignedHeaders): boolean => {
    if (!dispatchesToProvider(request, signed.target, otherOrigins)) return false;
    assertMethodAllowed(request.method);
    return true;
  };
  return (inner) => {
    const dispatch: Dispatcher.Dispatch = (request, handler) => {
      try {
        return inner(request, handler);
      } catch (error) {
        throw explainDispatcherError(error);
      }
    };
    const tools: DispatchTools = {
      ...shared,
      dispatch,
      ...(onStatus === undefined ? {} : { onStatus }),
    };
    return (request, handler) => {
      assertSupported(handler);
      const signed = signer.signNow();
      if (signed !== null)
        return isAuthenticated(request, signed)
          ? new RequestRun(tools, request, handler).send(signed)
          : dispatch(request, handler);
      new RequestRun(tools, request, handler).sendWhenSigned((late) => {
        if (isAuthenticated(request, late)) return true;
        dispatch(request, handler);
        return false;
      });
      return true;
    };
  };
};

/**
 * Throws `DispatcherNotSupported` for a handler of an older undici, such as that of Node's built-in fetch. Its methods have other
 * names, so without this check the caller would wait forever. undici itself checks only the handler that it is given,
 * which is the one of this package.
 */
const assertSupported = (handler: Dispatcher.DispatchHandler): void => {
  if (handler.onRequestStart === undefined || handler.onResponseError === undefined)
    throw new DispatcherNotSupported({ reason: "olderFetch" });
};
