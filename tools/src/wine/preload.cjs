// Loaded before every program of Node under Wine 8, in which a socket that has keep-alive set cannot connect.
require("node:net").Socket.prototype.setKeepAlive = function setKeepAlive() {
  return this;
};
