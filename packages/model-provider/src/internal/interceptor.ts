import type { Dispatcher } from "undici";
import type { RequestOptions } from "../authenticated-fetch.ts";
import type { RequestTarget } from "../base-url.ts";
import { OutsideProvider } from "../errors.ts";
import { checkMethod } from "./check-method.ts";
import { DispatchExchange, type DispatchTools } from "./dispatch-exchange.ts";
import { retryPolicy } from "./retry-policy.ts";
import { type SignerOptions, signerFrom } from "./signer-options.ts";

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
      throw new OutsideProvider({
        reason: "otherOrigin",
        expectedOrigin: target.origin,
        origin: String(request.origin),
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

const belongsTo = (request: Dispatcher.DispatchOptions, target: RequestTarget): boolean => {
  const { origin } = request;
  if (origin === undefined) return false;
  if (origin === target.origin) return true;
  return (typeof origin === "string" ? URL.parse(origin) : origin)?.origin === target.origin;
};
