// Preloaded into processes that must not use the network: connections other than to loopback fail at once.
import { Socket } from "node:net";

const loopback = /^(?:localhost|127\.\d+\.\d+\.\d+|::1|\[::1\])$/;
// oxlint-disable-next-line typescript/unbound-method -- called with its socket below
const connect = Socket.prototype.connect;

const hostOf = (given: unknown): string => {
  // node:net passes its own callers' arguments on as an array.
  const options: unknown = Array.isArray(given) ? given[0] : given;
  if (typeof options !== "object" || options === null) return "localhost";
  if ("path" in options && typeof options.path === "string") return "localhost"; // a Unix socket
  return "host" in options && typeof options.host === "string" ? options.host : "localhost";
};

const connectOffline = function (this: Socket, ...args: Array<unknown>): Socket {
  const host = hostOf(args[0]);
  if (loopback.test(host)) return Reflect.apply(connect, this, args);
  const error = new Error(`examples run offline, and this one connects to ${host}`);
  process.nextTick(() => this.destroy(error));
  return this;
};

Object.defineProperty(Socket.prototype, "connect", { value: connectOffline });
