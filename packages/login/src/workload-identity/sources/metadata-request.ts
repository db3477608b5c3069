import { type IncomingMessage, request } from "node:http";
import { isLoopbackHost } from "@agent-auth/agent-identity/urls";
import * as Effect from "effect/Effect";
import type { IdentityTokenUnavailable } from "../../errors/workload-identity.ts";
import type { IdentitySource } from "../settings.ts";
import { maxResponseBytes, unavailable } from "./source.ts";

/** Milliseconds. Short, because outside of the platform these addresses do not respond. */
const timeoutMs = 5_000;

/** A response of a metadata server, whose headers show that it comes from one. */
export interface MetadataResponse {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

/** Addresses that are reached over plain http because they do not leave the machine or its hypervisor. */
const isMetadataHost = (host: string): boolean =>
  isLoopbackHost(host) ||
  /^169\.254\.\d{1,3}\.\d{1,3}$/.test(host) ||
  host === "metadata.google.internal" ||
  host === "[fd00:ec2::254]";

/**
 * Sends a request to a metadata server: plain http, 5 s, 64 KiB, no redirect. The request never goes through a proxy, which
 * would reach the metadata server of the proxy's machine, and only addresses of metadata servers are accepted.
 */
export const requestMetadata = Effect.fnUntraced(function* (
  source: IdentitySource,
  url: URL,
  headers: Readonly<Record<string, string>>,
  hint: string,
): Effect.fn.Return<MetadataResponse, IdentityTokenUnavailable> {
  if (url.protocol !== "http:" || !isMetadataHost(url.hostname))
    return yield* unavailable(
      source,
      `${source.name}: ${url.host} is not the address of a metadata server`,
      "Use a link-local or loopback address, or leave the endpoint out.",
      "fixConfig",
    );
  const fail = (reason: string) =>
    unavailable(
      source,
      `${source.name}: no response of the metadata server ${url.host}: ${reason}`,
      hint,
    );
  return yield* Effect.timeoutOrElse(send(url, headers, fail), {
    duration: timeoutMs,
    orElse: () => Effect.fail(fail(`it timed out after ${timeoutMs / 1000} s`)),
  });
});

const send = (
  url: URL,
  headers: Readonly<Record<string, string>>,
  fail: (reason: string) => IdentityTokenUnavailable,
) =>
  Effect.callback<MetadataResponse, IdentityTokenUnavailable>((resume) => {
    const sent = request(url, { headers, agent: false }, (incoming) => {
      const chunks: Array<Buffer> = [];
      let size = 0;
      incoming.on("data", (chunk: Buffer) => {
        size += chunk.length;
        if (size <= maxResponseBytes) return void chunks.push(chunk);
        sent.destroy();
        resume(Effect.fail(fail("the response is too long")));
      });
      incoming.on("end", () => {
        const { headers, statusCode: status = 0 } = incoming;
        resume(Effect.succeed({ status, headers, body: Buffer.concat(chunks).toString("utf8") }));
      });
      incoming.on("error", () => resume(Effect.fail(fail("the connection was closed early"))));
    });
    sent.on("error", (error) =>
      resume(Effect.fail(fail("code" in error ? String(error.code) : error.name))),
    );
    sent.end();
    return Effect.sync(() => sent.destroy());
  });
