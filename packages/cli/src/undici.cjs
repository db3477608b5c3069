// What the bundles get for "undici" (rolldown.config.ts): the parts that this program uses, each loaded when it is
// first touched. undici's own index loads its mocks, caches and sqlite too, and doubles the start-up time of `api`.
"use strict";

/** undici's `request`, for callers who always bring a dispatcher. */
const request = (url, { dispatcher, ...options }) => {
  const { origin, pathname, search } = new URL(url);
  const send = require("undici/lib/api/api-request.js");
  return send.call(dispatcher, { ...options, origin, path: pathname + search });
};

const parts = {
  Agent: () => require("undici/lib/dispatcher/agent.js"),
  EnvHttpProxyAgent: () => {
    // undici's index gives this verb to all dispatchers; with it a proxy is asked for a tunnel.
    require("undici/lib/dispatcher/dispatcher.js").prototype.connect ??= require("undici/lib/api/api-connect.js");
    return require("undici/lib/dispatcher/env-http-proxy-agent.js");
  },
  FormData: () => require("undici/lib/web/fetch/formdata.js").FormData,
  WebSocket: () => require("undici/lib/web/websocket/websocket.js").WebSocket,
  fetch: () => require("undici/lib/web/fetch/index.js").fetch,
  request: () => request,
};

for (const [name, load] of Object.entries(parts)) {
  Object.defineProperty(module.exports, name, { enumerable: true, get: load });
}
