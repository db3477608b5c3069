import * as Effect from "effect/Effect";
import type * as Redacted from "effect/Redacted";
import type { IdentityTokenUnavailable } from "../../errors/workload-identity.ts";
import { readRegularFile } from "../../storage/fs/regular-file.ts";
import type { IdentitySource } from "../settings.ts";
import { checkToken, type FetchIdentityToken, unavailable } from "./source.ts";

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

/** A larger file is not read. The token in it may have 16 KiB. */
const maxFileBytes = 1024 * 1024;

/** Reads a token file: UTF-8, at most 16 KiB. A pipe or a device is refused, since reading it could hang. */
export const readTokenFile = Effect.fnUntraced(function* (
  source: IdentitySource,
  path: string,
  hint = "Make it a regular file that this user may read.",
): Effect.fn.Return<Redacted.Redacted, IdentityTokenUnavailable> {
  const found = yield* Effect.promise(() => readRegularFile(path, maxFileBytes));
  if ("problem" in found)
    return yield* unavailable(
      source,
      `could not read workload identity assertion file ${path}`,
      `Reason: ${found.problem}. ${hint}`,
    );
  // What is not UTF-8 becomes U+FFFD, which no token contains.
  const text = new TextDecoder().decode(found.bytes);
  return yield* checkToken(source, text, `Check that ${path} contains one token and nothing else.`);
});
