import type { IncomingMessage } from "node:http";
import { promisify } from "node:util";
import { brotliDecompress, gunzip, inflate, zstdDecompress } from "node:zlib";
import type * as z from "zod";
import { badRequest, HttpError } from "./response.ts";
import type { RecordedRequest } from "../steering/request-log.ts";

/** Limit of a request body, except for `echo`, which does not hold it in memory. */
const maxBytes = 64 * 1024 * 1024;

const decoders: Readonly<Record<string, (bytes: Buffer) => Promise<Buffer>>> = {
  gzip: promisify(gunzip),
  deflate: promisify(inflate),
  br: promisify(brotliDecompress),
  zstd: promisify(zstdDecompress),
};

const readBytes = async (incoming: IncomingMessage): Promise<Buffer> => {
  const pieces: Array<Buffer> = [];
  let size = 0;
  for await (const piece of incoming) {
    const bytes = Buffer.from(piece);
    size += bytes.length;
    if (size > maxBytes)
      throw new HttpError(
        413,
        "invalid_request_error",
        "body_too_large",
        `more than ${maxBytes} bytes`,
      );
    pieces.push(bytes);
  }
  return Buffer.concat(pieces);
};

/** Returns the whole body as text, after it has decoded the content encoding (RFC 9110 §8.4). */
export const readBody = async (incoming: IncomingMessage): Promise<string> => {
  const bytes = await readBytes(incoming);
  const encoding = incoming.headers["content-encoding"];
  if (encoding === undefined || encoding === "identity") return bytes.toString("utf8");
  const decode = decoders[encoding];
  if (decode === undefined)
    throw new HttpError(
      415,
      "invalid_request_error",
      "unknown_encoding",
      `cannot read ${encoding}`,
    );
  const plain = await decode(bytes).catch(() => undefined);
  if (plain === undefined) throw badRequest("broken_encoding", `the body is not ${encoding}`);
  return plain.toString("utf8");
};

const fail = (issues: ReadonlyArray<z.core.$ZodIssue>): HttpError =>
  badRequest(
    "invalid_body",
    issues.map((issue) => `${issue.path.join(".") || "body"}: ${issue.message}`).join("; "),
  );

/** Parses the JSON body. Throws an `HttpError` (400) that names the invalid paths. */
export const parseJson = <T>(request: RecordedRequest, schema: z.ZodType<T>): T => {
  let value: unknown;
  try {
    value = request.json();
  } catch {
    throw badRequest("invalid_json", "the body is not JSON");
  }
  const read = schema.safeParse(value);
  if (!read.success) throw fail(read.error.issues);
  return read.data;
};

/** Parses the form body (`application/x-www-form-urlencoded`). Throws `HttpError` (400). */
export const parseForm = <T>(request: RecordedRequest, schema: z.ZodType<T>): T => {
  const type = request.headers["content-type"] ?? "";
  if (!/^application\/x-www-form-urlencoded\s*(;|$)/i.test(type))
    throw badRequest("invalid_content_type", "the body must be application/x-www-form-urlencoded");
  const form = request.form();
  for (const name of new Set(form.keys()))
    if (form.getAll(name).length > 1)
      throw badRequest("invalid_request", `the parameter ${name} is given more than once`);
  const read = schema.safeParse(Object.fromEntries(form));
  if (!read.success) throw fail(read.error.issues);
  return read.data;
};
