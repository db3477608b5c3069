// Answers of servers that do not exist, for tests of clients: msw, set up so that it sees every client.
import { HttpRequestInterceptor } from "@mswjs/interceptors/http";
import type { AnyHandler } from "msw";
import { defineNetwork, InterceptorSource } from "msw/experimental";
import { Agent, setGlobalDispatcher } from "undici";

/** msw's setupServer misses direct `undici` imports; this one works at the socket, so it sees every client. */
export const setupNetwork = (...handlers: Array<AnyHandler>) => {
  const network = defineNetwork({
    sources: [new InterceptorSource({ interceptors: [new HttpRequestInterceptor()] })],
    handlers,
    onUnhandledFrame: "error",
    context: { quiet: true },
  });
  return {
    use: network.use.bind(network),
    resetHandlers: network.resetHandlers.bind(network),
    listen() {
      // undici 8's own: where Node's fetch globals loaded first, the global dispatcher is Node's bundled undici.
      setGlobalDispatcher(new Agent());
      network.enable();
    },
    close: () => network.disable(),
  };
};
