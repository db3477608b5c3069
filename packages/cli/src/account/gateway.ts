import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import type { Reportable } from "../errors/report.ts";
import type { Session } from "../session.ts";

/** The stored sign-in to one configured gateway. */
export interface GatewaySignIn {
  readonly providerId: string;
  readonly isSignedIn: boolean;
  readonly canRefresh: boolean;
  readonly expiresAtMs?: number;
  /** Why its state is not known. */
  readonly error?: Reportable;
}

/** The stored sign-ins to all configured gateways. Changes nothing, and asks no gateway. */
export const inspectGateways = Effect.fnUntraced(function* ({ config, environment }: Session) {
  const { codexHome } = environment;
  const gateways: Array<GatewaySignIn> = [];
  for (const [providerId, { gatewayOauth }] of config.modelProviders) {
    if (gatewayOauth?._tag !== "Session") continue;
    const it = yield* Effect.promise(() => import("@agent-auth/login/gateway-oauth"));
    const found = it.inspectGatewaySignIn({ providerId, config: gatewayOauth, codexHome });
    const absent = { providerId, isSignedIn: false, canRefresh: false };
    gateways.push(
      yield* Effect.match(found, {
        onFailure: (error): GatewaySignIn => ({ ...absent, error }),
        onSuccess: Option.match({
          onNone: (): GatewaySignIn => absent,
          onSome: (signIn): GatewaySignIn => {
            const { path: _, ...known } = signIn;
            return { providerId, isSignedIn: true, ...known };
          },
        }),
      }),
    );
  }
  return gateways;
});
