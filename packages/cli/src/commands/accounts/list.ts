import * as Effect from "effect/Effect";
import {
  type BrokenAccount,
  keptAccounts,
  type KeptAccount,
} from "../../accounts/kept-accounts.ts";
import type { SignInFacts } from "../../accounts/sign-in-facts.ts";
import type { Command, GlobalValues } from "../../argv/command-spec.ts";
import { errorToJson, reportError } from "../../errors/report.ts";
import { exitCode } from "../../errors/exit-code.ts";
import { openSession } from "../../session.ts";
import { printable } from "../../terminal/safe-text.ts";
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
        if (options.json) writeJson({ error: errorToJson(error) });
        return reportError("Error listing accounts", error);
      }),
    ),
  );

const list = Effect.fnUntraced(function* (options: ListOptions) {
  const session = yield* openSession(options.globals);
  const accounts = keptAccounts(session);
  const { kept, broken } = yield* accounts.all;
  const present = yield* accounts.present;
  const isPresent = (one: KeptAccount) => one.facts.key === present?.facts.key;
  const rows: readonly Row[] = [
    ...kept.map((one) => ({
      name: one.name,
      mark: isPresent(one) ? "*" : " ",
      method: one.facts.method,
      text: describe(one.facts),
      json: accountJson(one, isPresent(one)),
    })),
    ...broken.map((one) => ({
      name: one.name,
      mark: "!",
      method: "",
      text: printable(`cannot be read: ${one.error.message}`),
      json: brokenJson(one),
    })),
  ].toSorted((a, b) => (a.name < b.name ? -1 : 1));
  if (options.json) writeJson({ accounts: rows.map((row) => row.json) });
  else if (rows.length > 0) writeAnswer(`${table(rows).join("\n")}\n`);
  else
    session.notify(
      "No accounts are kept. Keep the present sign-in: agent-auth accounts add NAME --current",
    );
  // Where one cannot be read, the present sign-in may be that one.
  const isKept = present === undefined || kept.some(isPresent) || broken.length > 0;
  if (rows.length > 0 && !isKept) {
    session.notify(
      "The present sign-in is kept under no name. Keep it: agent-auth accounts add NAME --current",
    );
  }
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
  error: null,
});

/** Nothing is known of it, not even whether it is the present sign-in. */
const brokenJson = ({ name, error }: BrokenAccount) => ({
  name,
  isPresent: null,
  method: null,
  email: null,
  accountId: null,
  plan: null,
  apiKey: null,
  error: errorToJson(error),
});

interface Row {
  readonly name: string;
  readonly mark: string;
  /** Empty where it is not known. */
  readonly method: string;
  readonly text: string;
  readonly json: ReturnType<typeof accountJson> | ReturnType<typeof brokenJson>;
}

const table = (rows: readonly Row[]) => {
  const names = Math.max(...rows.map((row) => row.name.length));
  const methods = Math.max(...rows.map((row) => row.method.length));
  return rows.map(({ mark, name, method, text }) => {
    const known = method === "" ? text : `${method.padEnd(methods)}  ${text}`;
    return `${mark} ${name.padEnd(names)} ${known}`.trimEnd();
  });
};

const describe = (facts: SignInFacts) =>
  printable(
    [facts.email ?? facts.apiKey, facts.accountId, facts.plan]
      .filter((word) => word !== undefined)
      .join("  "),
  );
