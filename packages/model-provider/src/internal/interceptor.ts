import type { Dispatcher } from "undici";
import type { RequestOptions } from "../authenticated-fetch.ts";
import type { RequestTarget } from "../base-url.ts";
import { OutsideProvider } from "../errors.ts";
import { withQuery } from "./destination.ts";
import { DispatchExchange, type DispatchTools } from "./dispatch-exchange.ts";
import { dispatchHeaders } from "./dispatch-headers.ts";
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
  const onRecoveryFailed = options.onRecoveryFailed ?? (() => {});
  return (dispatch) => (request, handler) => {
    const write: DispatchTools["write"] = (signed) => ({
      ...request,
      path: pathWithQuery(request.path, signed.target, signer.provider.queryParams),
      headers: dispatchHeaders(request.headers, signed),
    });
    const elsewhere = (target: RequestTarget): boolean => {
      if (!refuses) return dispatch(request, handler);
      throw new OutsideProvider({
        reason: "otherOrigin",
        expectedOrigin: target.origin,
        origin: String(request.origin),
      });
    };
    const tools: DispatchTools = {
      signer,
      retry,
      dispatch,
      write,
      onRecoveryFailed,
      ...(onStatus === undefined ? {} : { onStatus }),
    };
    const signed = signer.signNow();
    if (signed !== null && !belongsTo(request, signed.target)) return elsewhere(signed.target);
    const exchange = new DispatchExchange(tools, request.body, handler);
    if (signed !== null) return exchange.send(signed);
    exchange.sendWhenSigned((late) => {
      const isOurs = belongsTo(request, late.target);
      if (!isOurs) elsewhere(late.target);
      return isOurs;
    });
    return true;
  };
};

const belongsTo = (request: Dispatcher.DispatchOptions, target: RequestTarget): boolean => {
  const { origin, method } = request;
  if (origin === undefined || method === "CONNECT") return false;
  if (origin === target.origin) return true;
  return (typeof origin === "string" ? URL.parse(origin) : origin)?.origin === target.origin;
};

const pathWithQuery = (
  path: string,
  target: RequestTarget,
  params: ReadonlyArray<readonly [string, string]>,
): string =>
  params.length === 0 ? path : withQuery(target.origin + path, params).slice(target.origin.length);
