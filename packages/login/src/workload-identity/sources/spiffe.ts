import { shortTimeoutMs } from "@agent-auth/agent-identity/http/timeouts";
import * as Effect from "effect/Effect";
import * as Redacted from "effect/Redacted";
import type * as Grpc from "@grpc/grpc-js";
import type { IdentityTokenUnavailable } from "../../errors/workload-identity.ts";

import type { IdentitySource } from "../settings.ts";
import { decodeJwtSvids, encodeJwtSvidRequest, type JwtSvid } from "./spiffe-messages.ts";
import {
  checkClaims,
  checkToken,
  type FetchIdentityToken,
  unavailable,
  unverifiedClaims,
} from "./source.ts";

const hint = "Check that the SPIFFE agent runs, and that this process is registered with it.";

/** `source = "spiffe"`: a JWT-SVID of the SPIFFE Workload API, over gRPC on a Unix socket. */
export const fetchFromSpiffe: FetchIdentityToken = Effect.fnUntraced(
  function* (source, environment) {
    const variable = environment.variable("SPIFFE_ENDPOINT_SOCKET");
    const endpoint = source.endpoint ?? (variable === undefined ? "" : Redacted.value(variable));
    const address = yield* socketAddress(source, endpoint);
    const audience = yield* checkAudience(source);
    const { spiffeId = "" } = source;
    if (spiffeId !== "" && !isSpiffeId(spiffeId))
      return yield* invalid(source, "the requested SPIFFE ID is invalid", "spiffe_id");
    const svids = yield* fetchJwtSvids(source, address, { audience, spiffeId });
    const svid = yield* choose(source, svids);
    const token = yield* checkToken(source, svid.token, hint);
    const isIssuedForAudience = unverifiedClaims(svid.token)?.audiences.includes(audience) === true;
    if (!isIssuedForAudience || (spiffeId !== "" && svid.spiffeId !== spiffeId))
      return yield* unavailable(source, "the workload identity assertion is invalid", hint);
    return yield* checkClaims(source, token, hint);
  },
);

const invalid = (source: IdentitySource, text: string, key: string) =>
  unavailable(source, text, `Correct ${key} of the workload identity.`, "fixConfig");

/** Codex takes `unix:` with an absolute path only, in one of the two forms of gRPC's naming. */
const socketAddress = (
  source: IdentitySource,
  endpoint: string,
): Effect.Effect<string, IdentityTokenUnavailable> => {
  const path = /^unix:(?:\/\/)?(\/(?!\/)[^?#\0]+)$/.exec(endpoint)?.[1];
  return path === undefined || process.platform === "win32"
    ? Effect.fail(
        invalid(
          source,
          "the SPIFFE Workload API endpoint must be an absolute unix: socket URI",
          "SPIFFE_ENDPOINT_SOCKET",
        ),
      )
    : Effect.succeed(`unix:${path}`);
};

const checkAudience = (source: IdentitySource): Effect.Effect<string, IdentityTokenUnavailable> => {
  const audience = source.audience ?? "";
  return audience === "" || audience.includes("\0")
    ? Effect.fail(
        invalid(
          source,
          "the SPIFFE JWT-SVID audience must not be empty or contain NUL",
          "OPENAI_SPIFFE_AUDIENCE",
        ),
      )
    : Effect.succeed(audience);
};

/** `spiffe://trust-domain/path` (SPIFFE ID §2), without query and fragment. */
const isSpiffeId = (id: string): boolean =>
  id.length <= 2048 && /^spiffe:\/\/[a-z0-9._-]+(?:\/[A-Za-z0-9._-]+)*$/.test(id);

const choose = (
  source: IdentitySource,
  svids: ReadonlyArray<JwtSvid>,
): Effect.Effect<JwtSvid, IdentityTokenUnavailable> => {
  const { spiffeId } = source;
  const fitting = spiffeId === undefined ? svids : svids.filter((one) => one.spiffeId === spiffeId);
  const [svid, ...others] = fitting;
  if (others.length > 0)
    return Effect.fail(
      unavailable(
        source,
        "the SPIFFE Workload API returned multiple JWT-SVIDs; configure an explicit SPIFFE ID",
        "Set OPENAI_SPIFFE_ID, or spiffe_id in the configuration.",
        "fixConfig",
      ),
    );
  return svid === undefined
    ? Effect.fail(unavailable(source, "the workload identity assertion is invalid", hint))
    : Effect.succeed(svid);
};

const loadGrpc = (source: IdentitySource): Effect.Effect<typeof Grpc, IdentityTokenUnavailable> =>
  Effect.tryPromise({
    try: () => import(/* webpackIgnore: true */ /* turbopackIgnore: true */ "@grpc/grpc-js"),
    catch: () =>
      unavailable(
        source,
        "spiffe: the package @grpc/grpc-js is not installed",
        "Install it: npm install @grpc/grpc-js",
        "fixConfig",
      ),
  });

const fetchJwtSvids = Effect.fnUntraced(function* (
  source: IdentitySource,
  address: string,
  request: { readonly audience: string; readonly spiffeId: string },
): Effect.fn.Return<ReadonlyArray<JwtSvid>, IdentityTokenUnavailable> {
  const grpc = yield* loadGrpc(source);
  return yield* Effect.callback<ReadonlyArray<JwtSvid>, IdentityTokenUnavailable>((resume) => {
    const client = new grpc.Client(address, grpc.credentials.createInsecure(), {
      "grpc.default_authority": "localhost",
      "grpc.enable_http_proxy": 0,
      "grpc.enable_retries": 0,
      "grpc.max_receive_message_length": 1_048_576,
    });
    const metadata = new grpc.Metadata();
    metadata.set("workload.spiffe.io", "true"); // SPIFFE Workload Endpoint §4: against confused deputies
    const call = client.makeUnaryRequest(
      "/SpiffeWorkloadAPI/FetchJWTSVID",
      encodeJwtSvidRequest,
      decodeJwtSvids,
      request,
      metadata,
      { deadline: Date.now() + shortTimeoutMs },
      (error, svids) => {
        client.close();
        if (error === null) return resume(Effect.succeed(svids ?? []));
        resume(Effect.fail(fromStatus(source, grpc, error.code)));
      },
    );
    return Effect.sync(() => {
      call.cancel();
      client.close();
    });
  });
});

const fromStatus = (
  source: IdentitySource,
  { status }: typeof Grpc,
  code: number,
): IdentityTokenUnavailable => {
  const name = status[code] ?? "UNKNOWN";
  if (name === "UNAVAILABLE" || name === "DEADLINE_EXCEEDED")
    return unavailable(
      source,
      "the SPIFFE Workload API is unavailable or timed out",
      hint,
      "retry",
    );

  return unavailable(
    source,
    `the SPIFFE Workload API rejected the request with gRPC status ${name.toLowerCase().replaceAll("_", " ")}`,
    hint,
  );
};
