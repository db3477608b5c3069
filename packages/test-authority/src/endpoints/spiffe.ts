import { once } from "node:events";
import {
  constants,
  createServer,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from "node:http2";
import { mintIdentityToken } from "../identities/workloads.ts";
import type { AuthorityState } from "../state.ts";

/** Options of `serveWorkloadApi`. */
export interface WorkloadApiOptions {
  /** The SPIFFE ids of the calling program. Default: one. A caller may ask for one of them. */
  readonly spiffeIds?: ReadonlyArray<string>;
  /** Whether all ids are returned, even to a caller that asks for one. Default false. */
  readonly returnsAll?: boolean;
  /** `aud` of the tokens. Default: what the caller asks for. */
  readonly audience?: string;
  /** Responds with this gRPC status instead, such as 7 (`PERMISSION_DENIED`). */
  readonly status?: number;
  /** Never responds. */
  readonly hangs?: boolean;
}

/** A request to the Workload API. */
export interface WorkloadApiRequest {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly audience: ReadonlyArray<string>;
  readonly spiffeId: string;
}

/** A running SPIFFE Workload API. */
export interface WorkloadApi extends AsyncDisposable {
  readonly requests: ReadonlyArray<WorkloadApiRequest>;
  readonly close: () => Promise<void>;
}

/** Serves `FetchJWTSVID` of the SPIFFE Workload API: gRPC over a Unix socket. The authority signs the JWT-SVIDs. */
export const serveWorkloadApi = async (
  state: AuthorityState,
  socketPath: string,
  options: WorkloadApiOptions = {},
): Promise<WorkloadApi> => {
  const requests: Array<WorkloadApiRequest> = [];
  const sessions = new Set<ServerHttp2Session>();
  const server = createServer();
  server.on("session", (session) => {
    sessions.add(session);
    session.once("close", () => sessions.delete(session));
  });
  server.on("stream", (stream, headers) => {
    stream.on("error", () => {});
    answer(state, stream, headers, options, requests).catch(() => stream.destroy());
  });
  server.listen(socketPath);
  await once(server, "listening");
  const close = async () => {
    if (!server.listening) return;
    server.close();
    for (const session of sessions) session.destroy();
    await once(server, "close");
  };
  return { requests, close, [Symbol.asyncDispose]: close };
};

const { HTTP2_HEADER_PATH, HTTP2_HEADER_STATUS } = constants;

const answer = async (
  state: AuthorityState,
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  options: WorkloadApiOptions,
  requests: Array<WorkloadApiRequest>,
): Promise<void> => {
  const chunks: Array<Buffer> = [];
  for await (const chunk of stream) chunks.push(Buffer.from(chunk));
  const fields = readStrings(Buffer.concat(chunks).subarray(5));
  const audience = fields.filter(({ number }) => number === 1).map(({ text }) => text);
  const spiffeId = fields.find(({ number }) => number === 2)?.text ?? "";
  const path = String(headers[HTTP2_HEADER_PATH]);
  requests.push({ path, headers, audience, spiffeId });
  if (options.hangs === true) return;
  const { spiffeIds = ["spiffe://example.test/app"], returnsAll = false } = options;
  const ids = returnsAll || spiffeId === "" ? spiffeIds : spiffeIds.filter((id) => id === spiffeId);
  const status = options.status ?? statusOf(path, headers, audience, ids);
  if (status !== 0) return trailersOnly(stream, status);
  const svids = await Promise.all(
    ids.map(async (subject) => {
      const aud = options.audience ?? audience;
      const token = await mintIdentityToken(state, { audience: aud, subject });
      return bytesField(1, Buffer.concat([textField(1, subject), textField(2, token)]));
    }),
  );
  stream.respond(
    { [HTTP2_HEADER_STATUS]: 200, "content-type": "application/grpc" },
    { waitForTrailers: true },
  );
  stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
  const message = Buffer.concat(svids);
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  stream.end(Buffer.concat([prefix, message]));
};

/** gRPC statuses: 3 `INVALID_ARGUMENT`, 7 `PERMISSION_DENIED`, 12 `UNIMPLEMENTED`. */
const statusOf = (
  path: string,
  headers: IncomingHttpHeaders,
  audience: ReadonlyArray<string>,
  ids: ReadonlyArray<string>,
): number => {
  if (path !== "/SpiffeWorkloadAPI/FetchJWTSVID") return 12;
  if (headers["workload.spiffe.io"] !== "true" || audience.length === 0) return 3;
  return ids.length === 0 ? 7 : 0;
};

const trailersOnly = (stream: ServerHttp2Stream, status: number): void => {
  stream.respond(
    {
      [HTTP2_HEADER_STATUS]: 200,
      "content-type": "application/grpc",
      "grpc-status": String(status),
      "grpc-message": "refused",
    },
    { endStream: true },
  );
};

/** Fields of strings, whose tag and length have at most two bytes. */
const readStrings = (bytes: Buffer): ReadonlyArray<{ number: number; text: string }> => {
  const fields: Array<{ number: number; text: string }> = [];
  for (let at = 0; at < bytes.length;) {
    const number = (bytes[at] ?? 0) >> 3;
    const low = bytes[at + 1] ?? 0;
    const isLong = low > 127;
    const length = isLong ? (low & 127) + ((bytes[at + 2] ?? 0) << 7) : low;
    const start = at + (isLong ? 3 : 2);
    fields.push({ number, text: bytes.toString("utf8", start, start + length) });
    at = start + length;
  }
  return fields;
};

const bytesField = (number: number, value: Buffer): Buffer => {
  const { length } = value;
  const size = length < 128 ? [length] : [(length & 127) | 128, length >> 7];
  return Buffer.concat([Buffer.from([(number << 3) | 2, ...size]), value]);
};

const textField = (number: number, text: string): Buffer => bytesField(number, Buffer.from(text));
