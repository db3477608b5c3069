// Replaces "undici" in the bundles (rolldown.config.ts) with the parts that this program uses. Each part is loaded when
// it is first used. undici's own index also loads its mocks, caches and sqlite, and doubles the start-up time of `api`.
"use strict";

const util = require("node:util");

/**
 * Loads a part without debug output: under NODE_DEBUG=undici it prints the URL of every request, whose query may hold a
 * provider's credential.
 */
const untraced = (load) => {
  const { debuglog } = util;
  util.debuglog = () => Object.assign(() => {}, { enabled: false });
  try {
    return load();
  } finally {
    util.debuglog = debuglog;
  }
};

/** undici's `request`, for callers that always pass a dispatcher. */
const request = (url, { dispatcher, ...options }) => {
  const { origin, pathname, search } = new URL(url);
  const send = untraced(() => require("undici/lib/api/api-request.js"));
  return send.call(dispatcher, { ...options, origin, path: pathname + search });
};

/** undici's index gives `connect` to all dispatchers; with it a proxy is asked for a tunnel. */
const withConnect = (dispatcher) => {
  require("undici/lib/dispatcher/dispatcher.js").prototype.connect ??= require("undici/lib/api/api-connect.js");
  return dispatcher;
};

const parts = {
  Agent: () => require("undici/lib/dispatcher/agent.js"),
  Pool: () => withConnect(require("undici/lib/dispatcher/pool.js")),
  ProxyAgent: () => withConnect(require("undici/lib/dispatcher/proxy-agent.js")),
  buildConnector: () => require("undici/lib/core/connect.js"),
  FormData: () => require("undici/lib/web/fetch/formdata.js").FormData,
  WebSocket: () => require("undici/lib/web/websocket/websocket.js").WebSocket,
  fetch: () => require("undici/lib/web/fetch/index.js").fetch,
  request: () => request,
};

for (const [name, load] of Object.entries(parts)) {
  Object.defineProperty(module.exports, name, { enumerable: true, get: () => untraced(load) });
}
