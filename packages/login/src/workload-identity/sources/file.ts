import { constants } from "node:fs";
import { open } from "node:fs/promises";
import * as Effect from "effect/Effect";
import type * as Redacted from "effect/Redacted";
import type { IdentityTokenUnavailable } from "../../errors/workload-identity.ts";
import type { IdentitySource } from "../settings.ts";
import { checkToken, type FetchIdentityToken, maxTokenBytes, unavailable } from "./source.ts";

/** `source = "file"`: a file that the platform or a helper program writes. It is read again for each exchange. */
export const fetchFromFile: FetchIdentityToken = (source) =>
  source.tokenFile === undefined
    ? Effect.fail(
        unavailable(
          source,
          "workload identity requires agent_auth.workload_identity.token_file",
          "Set it to the path of a file that contains the identity token.",
          "fixConfig",
        ),
      )
    : readTokenFile(source, source.tokenFile);

/** The longest token, and white space around it. */
const maxFileBytes = maxTokenBytes + 1024;

/** Reads a token file: UTF-8, at most 16 KiB. A pipe or a device is refused, since reading it could hang. */
export const readTokenFile = Effect.fnUntraced(function* (
  source: IdentitySource,
  path: string,
  hint = "Make it a regular file that this user may read.",
): Effect.fn.Return<Redacted.Redacted, IdentityTokenUnavailable> {
  const bytes = yield* Effect.tryPromise({
    try: () => readStart(path),
    catch: (error) =>
      unavailable(
        source,
        `could not read workload identity assertion file ${path}`,
        `${hint} (${error instanceof Error && "code" in error ? String(error.code) : "not a regular file"})`,
      ),
  });
  // What is not UTF-8 becomes U+FFFD, which no token contains.
  const text = new TextDecoder().decode(bytes);
  return yield* checkToken(source, text, `Check that ${path} contains one token and nothing else.`);
});

const readStart = async (path: string): Promise<Uint8Array> => {
  // Without O_NONBLOCK, opening a pipe waits for a writer.
  const file = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  try {
    if (!(await file.stat()).isFile()) throw new Error("not a regular file");
    const buffer = Buffer.alloc(maxFileBytes);
    const { bytesRead } = await file.read(buffer, 0, maxFileBytes, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
};
