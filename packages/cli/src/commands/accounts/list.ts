import * as Effect from "effect/Effect";
import { keptAccounts, type KeptAccount } from "../../accounts/kept-accounts.ts";
import type { SignInFacts } from "../../accounts/sign-in-facts.ts";
import type { Command, GlobalValues } from "../../argv/command-spec.ts";
import { errorJson } from "../../error-json.ts";
import { exitCode } from "../../exit-code.ts";
import { reportError } from "../../report-error.ts";
import { openSession } from "../../session.ts";
import { printable } from "../../terminal/printable.ts";
import { writeAnswer, writeJson } from "../../terminal/write.ts";
import { listSpec } from "./specs.ts";

export interface ListOptions {
  readonly json: boolean;
  readonly globals: GlobalValues;
}

export const command: Command<typeof listSpec.flags, ListOptions> = {
  spec: listSpec,
  options: ({ flags, globals }) => ({ json: flags.json, globals }),
};

/** Lists kept sign-ins, the present one marked. */
export const run = (options: ListOptions) =>
  list(options).pipe(
    Effect.catch((error) =>
      Effect.sync(() => {
        if (options.json) writeJson({ error: errorJson(error) });
        return reportError("Error listing accounts", error);
      }),
    ),
  );

const list = Effect.fnUntraced(function* (options: ListOptions) {
  const session = yield* openSession(options.globals);
  const accounts = keptAccounts(session);
  const kept = yield* accounts.all;
  const present = yield* accounts.present;
  const isPresent = (one: KeptAccount) => one.facts.key === present?.facts.key;
  if (options.json) writeJson({ accounts: kept.map((one) => accountJson(one, isPresent(one))) });
  else if (kept.length > 0) writeAnswer(`${table(kept, isPresent).join("\n")}\n`);
  else
    session.say(
      "No accounts are kept. Keep the present sign-in: agent-auth accounts add NAME --current",
    );
  return exitCode.done;
});

const accountJson = ({ name, facts }: KeptAccount, isPresent: boolean) => ({
  name,
  isPresent,
  method: facts.method,
  email: facts.email ?? null,
  accountId: facts.accountId ?? null,
  plan: facts.plan ?? null,
  apiKey: facts.apiKey ?? null,
});

const table = (kept: readonly KeptAccount[], isPresent: (one: KeptAccount) => boolean) => {
  const width = Math.max(...kept.map((one) => one.name.length));
  return kept.map((one) =>
    [isPresent(one) ? "*" : " ", one.name.padEnd(width), describe(one.facts)].join(" "),
  );
};

const describe = (facts: SignInFacts) =>
  printable(
    [facts.method, facts.email ?? facts.apiKey, facts.accountId, facts.plan]
      .filter((word) => word !== undefined)
      .join("  "),
  );
