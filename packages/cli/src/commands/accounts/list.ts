import * as Effect from "effect/Effect";
import * as Redacted from "effect/Redacted";
import type { BrokenAccount, KeptAccount, SignInSummary } from "@agent-auth/login/storage/accounts";
import type { Command, GlobalValues } from "../../argv/command-spec.ts";
import { errorToJson, reportError } from "../../errors/report.ts";
import { exitCode } from "../../errors/exit-code.ts";
import { openSession } from "../../session.ts";
import { mask, printable } from "../../terminal/safe-text.ts";
import { writeAnswer, writeJson } from "../../terminal/write.ts";
import { withAccounts } from "./named-account.ts";
import { listSpec } from "./specs.ts";

export interface ListOptions {
  readonly json: boolean;
  readonly globals: GlobalValues;
}

export const command: Command<typeof listSpec.flags, ListOptions> = {
  spec: listSpec,
  options: ({ flags, globals }) => ({ json: flags.json, globals }),
};

/** Lists kept sign-ins, the current one marked. */
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
  const { accounts, broken, current } = yield* withAccounts(session, (all) => all.list);
  const rows: readonly Row[] = [
    ...accounts.map((account) => ({
      name: account.name,
      mark: account.isCurrent ? "*" : " ",
      method: account.summary.method,
      text: describe(account.summary),
      json: accountJson(account),
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
      "No accounts are kept. Keep the current sign-in: agent-auth accounts add NAME --current",
    );
  // An account that cannot be read may be the current sign-in.
  const isKept =
    current === undefined || accounts.some(({ isCurrent }) => isCurrent) || broken.length > 0;
  if (rows.length > 0 && !isKept) {
    session.notify(
      "The current sign-in is not kept under a name. To keep it, run: agent-auth accounts add NAME --current",
    );
  }
  return exitCode.done;
});

const accountJson = ({ name, isCurrent, summary: facts }: KeptAccount) => ({
  name,
  isCurrent,
  method: facts.method,
  email: facts.email ?? null,
  accountId: facts.accountId ?? null,
  plan: facts.plan ?? null,
  apiKey: maskedKey(facts) ?? null,
  error: null,
});

/** Its values are unknown, including whether it is the current sign-in. */
const brokenJson = ({ name, error }: BrokenAccount) => ({
  name,
  isCurrent: null,
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
  /** Empty if it is not known. */
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

const maskedKey = ({ apiKey }: SignInSummary) =>
  apiKey === undefined ? undefined : mask(Redacted.value(apiKey));

const describe = (facts: SignInSummary) =>
  printable(
    [facts.email ?? maskedKey(facts), facts.accountId, facts.plan]
      .filter((word) => word !== undefined)
      .join("  "),
  );
