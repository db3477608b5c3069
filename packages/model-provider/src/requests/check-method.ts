import { MethodRefused } from "../errors/index.ts";

/**
 * Throws `MethodRefused` for the methods that the Fetch standard forbids too: TRACE (RFC 9110 §9.3.8) and its old
 * sibling TRACK have the server repeat the headers, CONNECT makes a tunnel. However it is spelt: not every server
 * minds the case.
 */
export const checkMethod = (method: string): void => {
  const upper = method.toUpperCase();
  if (upper === "TRACE" || upper === "TRACK" || upper === "CONNECT")
    throw new MethodRefused({ method: upper });
};
