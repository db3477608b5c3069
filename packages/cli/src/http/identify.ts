import type { Session } from "../session.ts";
import { version } from "../version.ts";

/** Headers by which this program names itself (PROTOCOL §5); a caller's own ones replace them. */
export const programHeaders = (session: Session): Readonly<Record<string, string>> => ({
  originator: session.environment.originator ?? "codex_cli_rs",
  "user-agent": `agent-auth/${version}`,
});
