import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { TestAuthority } from "@agent-auth/test-authority";
import type { ManagerSetup } from "../manager/fixture.ts";
import { openAuthority, openHome } from "../manager/fixture.ts";

export interface FileSetup extends ManagerSetup {
  readonly authority: TestAuthority;
  readonly tokenFile: string;
  readonly rule: string;
  /** Writes another identity token into the file. */
  readonly writeToken: (token: string) => Promise<void>;
}

/** A home whose environment selects a workload identity with a token in a file, exchanged at its own authority. */
export const openFileIdentity = async (
  settings: Parameters<typeof openAuthority>[0] = {},
): Promise<FileSetup> => {
  const home = await openHome();
  const authority = await openAuthority(settings);
  const rule = authority.addFederationRule();
  const tokenFile = join(home.path, "identity.jwt");
  const writeToken = (token: string) => writeFile(tokenFile, token, { mode: 0o600 });
  await writeToken(await authority.mintIdentityToken());
  return {
    home,
    authority,
    rule,
    tokenFile,
    writeToken,
    config: [`agent_auth.workload_identity.token_url=${authority.url}/oauth/token`],
    env: { OPENAI_FEDERATION_RULE_ID: rule, OPENAI_IDENTITY_TOKEN_FILE: tokenFile },
  };
};
