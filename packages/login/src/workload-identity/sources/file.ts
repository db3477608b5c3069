import { open } from "node:fs/promises";
import * as Effect from "effect/Effect";
import * as Result from "effect/Result";
import type { IdentityTokenUnavailable } from "../../errors/workload-identity.ts";
import type { IdentitySource } from "../settings.ts";
import { checkToken, type FetchIdentityToken, maxTokenBytes, unavailable } from "./source.ts";

/** Room for white space around a token of the greatest length. */
const maxFileBytes = maxTokenBytes + 1024;

/** `source = "file"`: a file that the platform, or a helper, writes. It is read anew for each exchange. */
export const fetchFromFile: FetchIdentityToken = (source) =>
  readTokenFile(source, source.tokenFile ?? "");

/** Reads a token file: UTF-8, at most 16 KiB. A pipe or a device is refused, since reading it could hang. */
export const readTokenFile = Effect.fnUntraced(function* (
  source: IdentitySource,
  path: string,
  /** What to do if the file cannot be read. */
  hint?: string,
): Effect.fn.Return<Redacted, IdentityTokenUnavailable> {
  const fail = (reason: string) =>
    unavailable(
      source,
      `could not read workload identity assertion file ${path}`,
      hint === undefined
        ? `Make the file readable for this user: ${reason}.`
        : `${hint} (${reason})`,
    );
  const bytes = yield* Effect.tryPromise({
    try: () => readStart(path),
    catch: (error) =>
      fail(
        error instanceof Error && "code" in error ? String(error.code) : "it is not a regular file",
      ),
  });
  const text = Result.try(() => new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  const token = checkToken(
    source,
    Result.isSuccess(text) ? text.success : "",
    `Check that ${path} contains one token and nothing else.`,
  );
  return "_tag" in token ? yield* token : token;
});

type Redacted = Exclude<ReturnType<typeof checkToken>, IdentityTokenUnavailable>;

const readStart = async (path: string): Promise<Uint8Array> => {
  // Without O_NONBLOCK, opening a pipe waits for a writer.
  const { constants } = await import("node:fs");
  const file = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  try {
    if (!(await file.stat()).isFile()) throw new Error("not a regular file");
    const { buffer, bytesRead } = await file.read(
      Buffer.alloc(maxFileBytes + 1),
      0,
      maxFileBytes + 1,
      0,
    );
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
};
