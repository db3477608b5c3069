import { AuthManager, type Workspace } from "@agent-auth/login/manager";
import * as Effect from "effect/Effect";
import type { Command, GlobalValues } from "../../argv/command-spec.ts";
import { exitCode } from "../../errors/exit-code.ts";
import { errorToJson, reportError } from "../../errors/report.ts";
import { managerLayer, openSession } from "../../session.ts";
import { printable } from "../../terminal/safe-text.ts";
import { writeAnswer, writeJson } from "../../terminal/write.ts";
import { switchWorkspaceSpec } from "./specs.ts";

export interface SwitchWorkspaceOptions {
  /** Absent: list the workspaces. */
  readonly workspaceId?: string;
  readonly json: boolean;
  readonly globals: GlobalValues;
}

export const command: Command<typeof switchWorkspaceSpec.flags, SwitchWorkspaceOptions> = {
  spec: switchWorkspaceSpec,
  options: ({ args: [workspaceId], flags, globals }) => ({
    json: flags.json,
    globals,
    ...(workspaceId !== undefined && { workspaceId }),
  }),
};

/** Switches the workspace of the current ChatGPT sign-in, or lists its workspaces. */
export const run = (options: SwitchWorkspaceOptions) =>
  switchOrList(options).pipe(
    Effect.catch((error) =>
      Effect.sync(() => {
        if (options.json) writeJson({ error: errorToJson(error) });
        return reportError("Error switching the workspace", error);
      }),
    ),
  );

const switchOrList = Effect.fnUntraced(function* (options: SwitchWorkspaceOptions) {
  const { globals, json, workspaceId } = options;
  const session = yield* openSession(globals);
  const withManager = Effect.provide(managerLayer(session, "signInOrOut"));
  if (workspaceId === undefined) {
    const workspaces = yield* withManager(AuthManager.use((manager) => manager.workspaces));
    if (json) writeJson({ workspaces: workspaces.map(workspaceJson) });
    else writeAnswer(workspaces.map(line).join(""));
    return exitCode.done;
  }
  yield* withManager(AuthManager.use((manager) => manager.switchWorkspace(workspaceId)));
  if (json) writeJson({ workspaceId });
  else session.notify(`Now using workspace ${printable(workspaceId)}`);
  return exitCode.done;
});

const workspaceJson = ({ id, isCurrent, name, structure }: Workspace) => ({
  id,
  name: name ?? null,
  structure: structure ?? null,
  isCurrent,
});

const line = ({ id, isCurrent, name, structure }: Workspace): string => {
  const words = [id, name, structure].filter((word) => word !== undefined);
  return `${isCurrent ? "*" : " "} ${printable(words.join("  "))}\n`;
};
