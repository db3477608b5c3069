import { isLoopbackUrl } from "@agent-auth/agent-identity/urls";
import { once } from "node:events";
import type { Server } from "node:http";
import type { Socket } from "node:net";
import { accountsApiRoutes } from "./endpoints/accounts-api.ts";
import { echoRoutes } from "./endpoints/echo.ts";
import { jwksRoutes } from "./endpoints/jwks.ts";
import { platformRoutes, platformVariables } from "./endpoints/platforms.ts";
import { responsesRoutes } from "./endpoints/responses.ts";
import { serveWorkloadApi } from "./endpoints/spiffe.ts";
import { taskRoutes } from "./endpoints/tasks.ts";
import { workspaceRoutes } from "./endpoints/workspace.ts";
import { addApiKey, mintAgentIdentity, mintPersonalAccessToken } from "./identities/mint.ts";
import { addFederationRule, addServiceAccount, mintIdentityToken } from "./identities/workloads.ts";
import { authorizeRoutes, decideAuthorizeUrl } from "./oauth/authorize.ts";
import { decideDevice, deviceRoutes } from "./oauth/device.ts";
import { discoveryRoutes } from "./oauth/discovery.ts";
import {
  approveAllGatewayDevices,
  approveGatewayDevice,
  expireGatewayTokens,
  gatewayRoutes,
  revokeGatewaySignIns,
} from "./oauth/gateway.ts";
import { revokeRoutes } from "./oauth/revoke.ts";
import { tokenRoutes } from "./oauth/token-endpoint.ts";
import { expireRefreshToken, mintChatgptTokens, revokeRefreshToken } from "./oauth/tokens.ts";
import { acceptSockets } from "./http/web-socket.ts";
import type { Route } from "./http/router.ts";
import { makeSelfSigned } from "./http/certificate.ts";
import { makeListener } from "./http/listener.ts";
import { startProxy } from "./http/proxy.ts";
import { listen, makeServer } from "./http/server.ts";
import type { AuthorityState } from "./state.ts";
import { changeSettings, makeState } from "./state.ts";
import type { TestAuthority, TestAuthorityOptions } from "./test-authority.ts";

const routes: ReadonlyArray<Route> = [
  ...jwksRoutes,
  ...taskRoutes,
  ...responsesRoutes,
  ...echoRoutes,
  ...accountsApiRoutes,
  ...workspaceRoutes,
  ...platformRoutes,
  ...gatewayRoutes,
  ...tokenRoutes,
  ...revokeRoutes,
  ...authorizeRoutes,
  ...deviceRoutes,
  ...discoveryRoutes,
];

const minting = (state: AuthorityState) => ({
  account: state.account,
  createAccount: state.directory.addAccount.bind(state.directory),
  mintAgentIdentity: mintAgentIdentity.bind(null, state),
  mintAgentIdentityJwt: async (options: Parameters<TestAuthority["mintAgentIdentityJwt"]>[0]) =>
    (await mintAgentIdentity(state, options)).jwt,
  mintChatgptTokens: mintChatgptTokens.bind(null, state),
  addApiKey: addApiKey.bind(null, state),
  mintPersonalAccessToken: mintPersonalAccessToken.bind(null, state),
  addFederationRule: addFederationRule.bind(null, state),
  addServiceAccount: addServiceAccount.bind(null, state),
  mintIdentityToken: mintIdentityToken.bind(null, state),
  platformVariables: platformVariables.bind(null, state),
  serveWorkloadApi: serveWorkloadApi.bind(null, state),
  jwks: state.keys.jwks.bind(state.keys),
  rotateSigningKey: async ({ keepOld = true } = {}) => (await state.keys.rotate(keepOld)).kid,
  publishKeys: state.keys.publish.bind(state.keys),
});

const steering = (state: AuthorityState) => ({
  behave: state.behaviours.add.bind(state.behaviours),
  resetBehaviour: state.behaviours.reset.bind(state.behaviours),
  configure: changeSettings.bind(null, state.settings),
  clock: state.clock,
  revokeAgent: state.agents.revoke.bind(state.agents),
  revokeTask: state.agents.revokeTask.bind(state.agents),
  revokeAccessToken: state.directory.revokeBearer.bind(state.directory),
  revokeRefreshToken: revokeRefreshToken.bind(null, state),
  expireRefreshToken: expireRefreshToken.bind(null, state),
  decideSignIn: decideAuthorizeUrl.bind(null, state),
  decideDevice: decideDevice.bind(null, state),
  approveGatewayDevice: approveGatewayDevice.bind(null, state),
  approveAllGatewayDevices: approveAllGatewayDevices.bind(null, state),
  expireGatewayTokens: expireGatewayTokens.bind(null, state),
  revokeGatewaySignIns: revokeGatewaySignIns.bind(null, state),
  expireAccessToken: (token: string) => state.directory.expireBearer(token, state.clock.nowMs()),
});

const recording = ({ log }: AuthorityState) => ({
  requests: log.all,
  requestsTo: log.to.bind(log),
  count: (endpoint: Parameters<typeof log.to>[0]) => log.to(endpoint).length,
  clearRequests: log.clear.bind(log),
  waitForRequest: log.wait.bind(log),
  expect: (endpoint: Parameters<typeof log.to>[0], { times = 1 } = {}) =>
    log.expect(endpoint, times),
  verify: log.verify.bind(log),
});

/** Tracks open connections. Returns a function that resets them all and returns their number. */
const trackConnections = (server: Server): (() => number) => {
  const open = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    open.add(socket);
    socket.once("close", () => open.delete(socket));
  });
  return () => {
    const count = open.size;
    for (const socket of open) socket.resetAndDestroy();
    return count;
  };
};

const makeClose = (server: Server, closing: AbortController) => {
  let closed: Promise<unknown> | undefined;
  const shut = () => {
    closing.abort();
    const done = once(server, "close");
    server.close();
    server.closeAllConnections();
    return done;
  };
  return async () => {
    await (closed ??= shut());
  };
};

/**
 * Starts an authority on loopback, in this process and on a free port. Resolves when it listens. Rejects with
 * `ListenFailed` if host and port are not available, and with `TypeError` if the host is not loopback: the authority
 * signs in anyone who asks.
 *
 * @example
 * ```ts
 * import { startTestAuthority } from "@agent-auth/test-authority";
 *
 * await using authority = await startTestAuthority();
 * authority.behave("models", { status: 503 }, { times: 1 });
 * const headers = { authorization: `Bearer ${authority.addApiKey()}` };
 * const statuses = [];
 * for (const attempt of [1, 2])
 *   statuses[attempt] = (await fetch(`${authority.openaiBaseUrl}/models`, { headers })).status;
 * if (statuses[1] !== 503 || statuses[2] !== 200) throw new Error("unexpected responses");
 * if (authority.count("models") !== 2) throw new Error("unexpected number of requests");
 * ```
 */
export const startTestAuthority = async (
  options: TestAuthorityOptions = {},
): Promise<TestAuthority> => {
  const { host = "127.0.0.1", port = 0, account = {}, now = Date.now, settings = {} } = options;
  const { proxiedHosts } = options;
  const tls =
    options.tls === "self-signed" ? makeSelfSigned(Date.now(), proxiedHosts) : options.tls;
  const name = host.includes(":") ? `[${host}]` : host;
  if (!isLoopbackUrl(`http://${name}`))
    throw new TypeError(`host must be a loopback address, such as 127.0.0.1, not ${host}`);
  const state = makeState(now, account);
  state.clock.setOffset(options.clockOffsetMs ?? 0);
  changeSettings(state.settings, settings);
  const closing = new AbortController();
  const server = makeServer(makeListener(state, routes, closing.signal), tls);
  acceptSockets(server, state, closing.signal);
  const listening = await listen(server, host, port);
  const url = `${tls === undefined ? "http" : "https"}://${name}:${listening}`;
  state.origin = url;
  state.keys.warmUp();
  const proxy =
    proxiedHosts === undefined ? undefined : await startProxy(name, listening, proxiedHosts);
  const closeServer = makeClose(server, closing);
  const close = async () => {
    await Promise.all([closeServer(), proxy?.close()]);
  };
  return {
    url,
    issuer: url,
    chatgptBaseUrl: `${url}/backend-api`,
    openaiBaseUrl: `${url}/v1`,
    accountsBaseUrl: `${url}/api/accounts`,
    ...(tls === undefined ? {} : { certificate: tls.cert }),
    ...(proxy === undefined ? {} : { proxyUrl: proxy.url }),
    ...minting(state),
    ...steering(state),
    ...recording(state),
    resetConnections: trackConnections(server),
    close,
    async [Symbol.asyncDispose]() {
      await close();
      state.log.verify();
    },
  };
};
