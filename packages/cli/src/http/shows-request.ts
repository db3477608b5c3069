/**
 * Methods that are never sent with an identity: TRACE has the server answer with the request as it came, credentials
 * included (RFC 9110 §9.3.8), TRACK is its twin, and CONNECT makes a tunnel to anywhere.
 */
export const showsRequest = (method: string | undefined): boolean =>
  method === "TRACE" || method === "TRACK" || method === "CONNECT";
