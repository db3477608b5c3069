import { parseJwks } from "@agent-auth/agent-identity/jwks";
import * as HttpClient from "@agent-auth/login/http";
import * as Effect from "effect/Effect";
import type { Command, GlobalValues } from "../../argv/command-spec.ts";
import { errorToJson, type Reportable, reportError } from "../../errors/report.ts";
import { exitCode } from "../../errors/exit-code.ts";
import { CliError } from "../../errors/cli-error.ts";
import {
  findJwks,
  type FoundJwks,
  jwksOrigin,
  explainNamedJwksError,
  placeOf,
} from "../../jwks-origin.ts";
import { openSession, userAgent } from "../../session.ts";
import { printable } from "../../terminal/safe-text.ts";
import { writeAnswer, writeJson } from "../../terminal/write.ts";
import { type KeyFacts, keyFacts } from "./key-facts.ts";
import { spec } from "./spec.ts";

export interface JwksOptions {
  /** A file or a URL; default: the configured backend's. */
  readonly from?: string;
  readonly kid?: string;
  readonly json: boolean;
  readonly globals: GlobalValues;
}

export const command: Command<typeof spec.flags, JwksOptions> = {
  spec,
  options: ({ flags, args: [from], globals }) => ({
    json: flags.json,
    globals,
    ...(from !== undefined && { from }),
    ...(flags.kid !== undefined && { kid: flags.kid }),
  }),
};

/** Shows a key set and whether each key is usable. */
export const run = (options: JwksOptions) =>
  show(options).pipe(
    Effect.mapError(explainNamedJwksError(options.from)),
    Effect.catch((error) =>
      Effect.sync(() => {
        if (options.json) writeJson({ error: errorToJson(error) });
        return reportError("Error getting the JWKS", error);
      }),
    ),
  );

const show = Effect.fnUntraced(function* (options: JwksOptions) {
  const session = yield* openSession(options.globals);
  const origin = yield* jwksOrigin(options.from, session);
  const found = yield* findJwks(origin).pipe(
    Effect.provide(HttpClient.layer(session.environment, { userAgent })),
  );
  const keys = yield* checkKeys(found);
  if (options.json) writeJson({ from: placeOf(origin), keys });
  else writeAnswer(`${[placeOf(origin), ...keys.map(keyLine)].join("\n")}\n`);
  const problem = problemOf(keys, options);
  return problem === undefined ? exitCode.done : reportError("The key set cannot be used", problem);
});

const checkKeys = Effect.fnUntraced(function* ({ jwks, origin }: FoundJwks) {
  const set = yield* parseJwks(jwks, placeOf(origin));
  const facts: KeyFacts[] = [];
  for (const key of keyFacts(jwks)) {
    if (key.kid === null) {
      facts.push({ ...key, usable: false, reason: "it has no id" });
      continue;
    }
    const result = yield* Effect.result(set.key(key.kid));
    facts.push(
      result._tag === "Success"
        ? { ...key, usable: true, reason: null }
        : { ...key, usable: false, reason: result.failure.problem ?? "it is not understood" },
    );
  }
  return facts;
});

const keyLine = (key: KeyFacts) => {
  const kind = [key.kty, key.alg, key.bits === null ? null : `${key.bits} bits`];
  const words = kind.filter((word) => word !== null).join(", ");
  const result = key.usable ? "ok" : `ignored: ${key.reason ?? ""}`;
  return `  ${printable(`${key.kid ?? "(no id)"}  ${words}  ${result}`)}`;
};

const problemOf = (
  keys: readonly KeyFacts[],
  { from, kid }: JwksOptions,
): Reportable | undefined => {
  const isThere = keys.some((key) => key.usable && (kid === undefined || key.kid === kid));
  if (isThere) return undefined;
  return new CliError({
    code: "CLI_NO_USABLE_KEY",
    message: kid === undefined ? "it has no usable key" : `it has no usable key ${kid}`,
    hint:
      from === undefined
        ? "Check that chatgpt_base_url points at the service that issued the token."
        : "Name the set of the service that issued the token.",
  });
};
