import type { GatewayDelivery } from "@agent-auth/login/config";
import type { Credential } from "@agent-auth/login/credential";
import * as Redacted from "effect/Redacted";
import * as Result from "effect/Result";
import { HeaderInvalid } from "../errors/index.ts";
import { checkHeader } from "../provider/header-syntax.ts";

/** A cookie's value (RFC 6265 §4.1.1). */
const cookieValue = /^[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]+$/;

/**
 * Returns the header that carries a gateway's token: `Authorization`, `Cookie`, or a header that the gateway defines.
 */
export const gatewayHeaders = (
  delivery: GatewayDelivery | undefined,
  credential: Credential | null,
): Result.Result<Readonly<Record<string, string>>, HeaderInvalid> => {
  if (delivery === undefined || credential?._tag !== "Bearer") return Result.succeed({});
  const token = Redacted.value(credential.token);
  const name = delivery.kind === "cookie" ? "Cookie" : delivery.name;
  const illegal =
    delivery.kind === "cookie" && !cookieValue.test(token)
      ? new HeaderInvalid({ header: name, from: "credential", reason: "controlByte" })
      : checkHeader(name, token, "credential");
  if (illegal !== null) return Result.fail(illegal);
  if (delivery.kind === "cookie") return Result.succeed({ [name]: `${delivery.name}=${token}` });
  return Result.succeed({
    [name]: delivery.scheme === undefined ? token : `${delivery.scheme} ${token}`,
  });
};
