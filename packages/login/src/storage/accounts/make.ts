import type { HttpTransport } from "@agent-auth/agent-identity/http";
import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import { checkCodexHome } from "../../config/codex-home.ts";
import { overridingEnvVar } from "../../config/environment.ts";
import { AccountsNotShared } from "../../errors/account.ts";
import {
  EnvironmentCredentialOverrides,
  PersistentStoreRequired,
} from "../../errors/login-input.ts";
import type { LoginError } from "../../errors/index.ts";
import { makeAdding } from "./add.ts";
import { checkName } from "./folders.ts";
import { makeRemoval } from "./remove.ts";
import { makeSignIns, type SignIns } from "./sign-ins.ts";
import type { AccountList, KeptAccountsOptions, KeptAccountsShape } from "./types.ts";
import { makeUse } from "./use.ts";

/** Builds the service of `./index.ts`. */
export const makeKeptAccounts = (
  options: KeptAccountsOptions,
  transport: HttpTransport["Service"],
): KeptAccountsShape => {
  const { config, environment } = options;
  const { codexHome } = environment;
  const signIns = makeSignIns(options);
  const removal = makeRemoval(options, signIns, transport);
  const adding = makeAdding(options, signIns, removal);
  const use = makeUse(options, signIns);

  const checkLocal =
    config.sharedStore === undefined ? Effect.void : Effect.fail(new AccountsNotShared());
  /** Names the home folder that is missing, instead of its accounts. */
  const checked = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
    Effect.andThen(Effect.andThen(checkLocal, checkCodexHome(codexHome)), effect);
  const named = <A, E, R>(name: string, effect: Effect.Effect<A, E, R>) =>
    checked(Effect.andThen(checkName(name), effect));
  const locked = signIns.lockedIn(codexHome);
  /** Fails if making a stored sign-in the current one would have no effect. */
  const checkUsable = Effect.gen(function* () {
    const variable = overridingEnvVar(environment, options);
    if (variable !== undefined) return yield* new EnvironmentCredentialOverrides({ variable });
    if (config.credentialsStore === "ephemeral") return yield* new PersistentStoreRequired();
  });

  return {
    list: checked(list(signIns)),
    nameOfCurrent: checked(nameOfCurrent(signIns)),
    addCurrent: (name) => named(name, locked(adding.addCurrent(name))),
    addNew: (name, signIn) => named(name, adding.addNew(name, signIn)),
    use: (name) => named(name, Effect.andThen(checkUsable, locked(use(name)))),
    remove: (name) => named(name, locked(removal.remove(name))),
    forget: (name) => named(name, removal.forget(name)),
  };
};

const list = (signIns: SignIns) =>
  Effect.gen(function* (): Effect.fn.Return<AccountList, LoginError> {
    const { broken, kept } = yield* signIns.all;
    const now = Option.getOrUndefined(yield* signIns.current);
    const accounts = kept.map(({ name, signIn }) => ({
      name,
      isCurrent: signIn.key === now?.key,
      summary: signIn.summary,
    }));
    return { accounts, broken, ...(now !== undefined && { current: now.summary }) };
  });

const nameOfCurrent = (signIns: SignIns) =>
  Effect.gen(function* () {
    const current = Option.getOrUndefined(yield* signIns.current);
    if (current === undefined) return Option.none<string>();
    return Option.fromUndefinedOr((yield* signIns.accountOf(current))?.name);
  });
