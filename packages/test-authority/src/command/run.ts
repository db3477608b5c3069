import { once } from "node:events";
import type { CommandLineOptions } from "./options.ts";
import { ListenFailed } from "../errors.ts";
import { startTestAuthority } from "../start.ts";
import type { TestAuthority } from "../test-authority.ts";

/** What the binary prints, in snake case like the configuration keys that it is copied into. */
const describe = async (authority: TestAuthority, options: CommandLineOptions) => ({
  url: authority.url,
  chatgpt_base_url: authority.chatgptBaseUrl,
  openai_base_url: authority.openaiBaseUrl,
  accounts_base_url: authority.accountsBaseUrl,
  issuer: authority.issuer,
  account_id: authority.account.accountId,
  email: authority.account.email,
  ...(options.mint ? { agent_identity: await authority.mintAgentIdentityJwt() } : {}),
  ...(options.apiKey ? { api_key: authority.addApiKey() } : {}),
  ...(options.personalAccessToken
    ? { personal_access_token: authority.mintPersonalAccessToken() }
    : {}),
  ...(authority.certificate === undefined ? {} : { certificate: authority.certificate }),
});

/** Starts, prints one line of JSON, and runs until SIGINT or SIGTERM. Returns the exit code. */
export const run = async (options: CommandLineOptions): Promise<number> => {
  const { host, port } = options;
  const stop = Promise.race([once(process, "SIGINT"), once(process, "SIGTERM")]);
  try {
    await using authority = await startTestAuthority({
      host,
      port,
      ...(options.tls ? { tls: "self-signed" } : {}),
    });
    process.stdout.write(`${JSON.stringify(await describe(authority, options))}\n`);
    await stop;
    return 0;
  } catch (error) {
    if (!(error instanceof ListenFailed)) throw error;
    process.stderr.write(`${error.message}. ${error.hint}\n`);
    return 1;
  }
};
