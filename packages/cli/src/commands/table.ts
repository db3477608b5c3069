import type * as Effect from "effect/Effect";
import type { Command, CommandSpec, FlagTable } from "../argv/command-spec.ts";
import type { ExitCode } from "../errors/exit-code.ts";
import { runCommand } from "../run-command.ts";
import * as accounts from "./accounts/specs.ts";
import * as appServer from "./app-server/specs.ts";
import { spec as api } from "./api/spec.ts";
import { spec as assertionVerify } from "./assertion-verify/spec.ts";
import { spec as completion } from "./completion/spec.ts";
import { spec as decode } from "./decode/spec.ts";
import { spec as doctor } from "./doctor/spec.ts";
import { spec as exec } from "./exec/spec.ts";
import { spec as headers } from "./headers/spec.ts";
import { spec as jwks } from "./jwks/spec.ts";
import { spec as loginStatus } from "./login-status/spec.ts";
import { spec as keep } from "./keep/spec.ts";
import { spec as login } from "./login/spec.ts";
import { spec as logout } from "./logout/spec.ts";
import { spec as proxy } from "./proxy/spec.ts";
import { spec as token } from "./token/spec.ts";
import { spec as verify } from "./verify/spec.ts";

interface CommandModule<Flags extends FlagTable, Options> {
  readonly command: Command<Flags, Options>;
  readonly run: (options: Options) => Effect.Effect<ExitCode>;
}

/** A command that is loaded when it is started. */
export interface Entry {
  readonly spec: CommandSpec;
  readonly start: (words: readonly string[]) => Promise<void>;
}

const entry = <Flags extends FlagTable, Options>(
  spec: CommandSpec<Flags>,
  load: () => Promise<CommandModule<Flags, Options>>,
): Entry => ({
  spec,
  start: async (words) => {
    const { command, run } = await load();
    runCommand(command, run, words);
  },
});

/** Every command, in the order of the help. Parsing, help and completion use this table. */
export const commands: readonly Entry[] = [
  entry(login, () => import("./login/login.ts")),
  entry(loginStatus, () => import("./login-status/login-status.ts")),
  entry(logout, () => import("./logout/logout.ts")),
  entry(api, () => import("./api/api.ts")),
  entry(token, () => import("./token/token.ts")),
  entry(headers, () => import("./headers/headers.ts")),
  entry(exec, () => import("./exec/exec.ts")),
  entry(proxy, () => import("./proxy/proxy.ts")),
  entry(keep, () => import("./keep/keep.ts")),
  entry(appServer.serveSpec, () => import("./app-server/serve.ts")),
  entry(appServer.proxySpec, () => import("./app-server/proxy.ts")),
  entry(
    appServer.jsonSchemaSpec,
    async () => (await import("./app-server/generate.ts")).jsonSchema,
  ),
  entry(
    appServer.typeScriptSpec,
    async () => (await import("./app-server/generate.ts")).typeScript,
  ),
  entry(accounts.listSpec, () => import("./accounts/list.ts")),
  entry(accounts.useSpec, () => import("./accounts/use.ts")),
  entry(accounts.addSpec, () => import("./accounts/add.ts")),
  entry(accounts.switchWorkspaceSpec, () => import("./accounts/switch-workspace.ts")),
  entry(accounts.removeSpec, () => import("./accounts/remove.ts")),
  entry(verify, () => import("./verify/verify.ts")),
  entry(decode, () => import("./decode/decode.ts")),
  entry(jwks, () => import("./jwks/jwks.ts")),
  entry(assertionVerify, () => import("./assertion-verify/assertion-verify.ts")),
  entry(doctor, () => import("./doctor/doctor.ts")),
  entry(completion, async () => {
    const { command, makeRun } = await import("./completion/completion.ts");
    return { command, run: makeRun(commands.map((one) => one.spec)) };
  }),
];
