import type { Dispatcher } from "undici";
import type { RequestOptions } from "../fetch/index.ts";
import type { RequestTarget } from "../provider/base-url.ts";
import { RequestOriginNotAllowed } from "../errors/index.ts";
import { checkMethod } from "../requests/check-method.ts";
import { DispatchExchange, type DispatchTools } from "./dispatch-exchange.ts";
import { retryPolicy } from "../requests/retry-policy.ts";
import { type SignerOptions, signerFrom } from "../signing/signer-options.ts";

/** What `authInterceptor` promises; `onStatus` hears of every answer, those that are not passed on included. */
export const interceptor = (
  options: SignerOptions & RequestOptions,
  onStatus?: (status: number) => void,
): Dispatcher.DispatcherComposeInterceptor => {
  const signer = signerFrom(options);
  const retry = retryPolicy(options, signer.provider.requestMaxRetries);
  const refuses = options.otherOrigins === "refuse";
  return (dispatch) => {
    const tools: DispatchTools = {
      signer,
      retry,
      dispatch,
      onRecoveryFailed: options.onRecoveryFailed ?? (() => {}),
      ...(onStatus === undefined ? {} : { onStatus }),
    };
    const elsewhere = (request: Request, handler: Handler, target: RequestTarget): boolean => {
      if (!refuses) return dispatch(request, handler);
      const origin = originOf(isAbsolute.test(request.path) ? request.path : request.origin);
      throw new RequestOriginNotAllowed({
        reason: "otherOrigin",
        expectedOrigin: target.origin,
        ...(origin === undefined ? {} : { origin }),
      });
    };
    const sendLater = (request: Request, handler: Handler): boolean => {
      new DispatchExchange(tools, request, handler).sendWhenSigned((signed) => {
        const isOurs = belongsTo(request, signed.target);
        if (isOurs) checkMethod(request.method);
        else elsewhere(request, handler, signed.target);
        return isOurs;
      });
      return true;
    };
    return (request, handler) => {
      assertModern(handler);
      const signed = signer.signNow();
      if (signed === null) return sendLater(request, handler);
      if (!belongsTo(request, signed.target)) return elsewhere(request, handler, signed.target);
      checkMethod(request.method);
      return new DispatchExchange(tools, request, handler).send(signed);
    };
  };
};

type Request = Dispatcher.DispatchOptions;
type Handler = Dispatcher.DispatchHandler;

/**
 * undici checks the handler that it is given, which is ours. The fetch of Node's older undici hands over one that none of
 * our calls would reach, and would wait for ever.
 */
const assertModern = (handler: Handler): void => {
  if (handler.onRequestStart === undefined || handler.onResponseError === undefined)
    throw new TypeError(
      "this fetch is of another undici than the dispatcher: take undici's own fetch, or setGlobalDispatcher",
    );
};

const belongsTo = ({ origin, path }: Request, target: RequestTarget): boolean =>
  (origin === target.origin || originOf(origin) === target.origin) &&
  (path.startsWith("/") || !isAbsolute.test(path) || originOf(path) === target.origin);

/** undici sends such a path as it is, and a server that forwards requests goes by it (RFC 9112 §3.2.2). */
const isAbsolute = /^https?:/i;

const originOf = (url: string | URL | undefined): string | undefined =>
  (typeof url === "string" ? URL.parse(url) : url)?.origin;
