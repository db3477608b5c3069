/**
 * The payload of a compact JWS as JSON, or `undefined` where it is none. The signature is not looked at, nor is the
 * header: whoever made the token can have written anything.
 */
export const decodeUnverifiedPayload = (jwt: string): unknown => {
  const parts = jwt.split(".");
  const [header, payload, signature] = parts;
  if (parts.length !== 3 || !header || !payload || !signature) return undefined;
  if (!/^[\w-]+$/.test(payload)) return undefined;
  try {
    const claims: unknown = JSON.parse(Buffer.from(payload, "base64url").toString("utf8"));
    return typeof claims === "object" && claims !== null && !Array.isArray(claims)
      ? claims
      : undefined;
  } catch {
    return undefined;
  }
};
