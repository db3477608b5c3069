// Loaded before every program of Node under Wine 8.
const { registerHooks } = require("node:module");
const { Socket } = require("node:net");

// A socket that has keep-alive set cannot connect there.
Socket.prototype.setKeepAlive = function setKeepAlive() {
  return this;
};

// Wine follows the links of the workspace and does not show them, and Node strips no types below node_modules.
registerHooks({
  resolve: (specifier, context, next) => {
    const found = next(specifier, context);
    const url = found.url.replace(/\/node_modules\/@agent-auth\/(?!tools\/)/, "/packages/");
    return { ...found, url: url.replace("/node_modules/@agent-auth/tools/", "/tools/") };
  },
});
