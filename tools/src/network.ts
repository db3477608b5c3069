// Mock servers for tests of HTTP clients: msw, set up so that it intercepts every client.
import { HttpRequestInterceptor } from "@mswjs/interceptors/http";
import type { AnyHandler } from "msw";
import { defineNetwork, InterceptorSource } from "msw/experimental";
import { Agent, setGlobalDispatcher } from "undici";

/** Like msw's `setupServer`, which misses direct `undici` imports; this one intercepts at the socket. */
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
      // If Node's fetch globals loaded first, the global dispatcher is that of Node's bundled undici.
      setGlobalDispatcher(new Agent());
      network.enable();
    },
    close: () => network.disable(),
  };
};
