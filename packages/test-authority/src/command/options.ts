import { isIPv4 } from "node:net";
import { parseArgs } from "node:util";

export interface CommandLineOptions {
  readonly host: string;
  readonly port: number;
  /** Whether to print an agent identity JWT. */
  readonly mint: boolean;
  /** Whether to print an API key. */
  readonly apiKey: boolean;
  /** Whether to print a personal access token. */
  readonly personalAccessToken: boolean;
  /** Whether to serve https, and print the new certificate. */
  readonly tls: boolean;
}

export type CommandLine =
  | { readonly _tag: "Help" }
  | { readonly _tag: "Version" }
  | { readonly _tag: "Wrong"; readonly message: string }
  | { readonly _tag: "Run"; readonly options: CommandLineOptions };

export const usage = `Usage: agent-test-authority [options]

Runs a complete local authority for Codex sign-ins, agent identities and model requests.
Prints one line of JSON to stdout when it listens, and runs until interrupted.

  --port <n>               port to listen on (default: any free one)
  --host <addr>            loopback address to listen on (default: 127.0.0.1)
  --tls                    serve https; add the certificate to trust, PEM, to the line (certificate)
  --mint                   add a fresh agent identity JWT to the line (agent_identity)
  --api-key                add a fresh API key to the line (api_key)
  --personal-access-token  add a fresh personal access token to the line (personal_access_token)
  -h, --help               show this text
  --version                show the version
`;

const isLoopback = (host: string): boolean =>
  host === "localhost" || host === "::1" || (isIPv4(host) && host.startsWith("127."));

const wrong = (message: string): CommandLine => ({ _tag: "Wrong", message });

/** Parses the arguments after the program's name. */
export const parseCommandLine = (args: ReadonlyArray<string>): CommandLine => {
  let values;
  try {
    ({ values } = parseArgs({
      args: [...args],
      options: {
        host: { type: "string", default: "127.0.0.1" },
        port: { type: "string", default: "0" },
        mint: { type: "boolean", default: false },
        "api-key": { type: "boolean", default: false },
        "personal-access-token": { type: "boolean", default: false },
        tls: { type: "boolean", default: false },
        version: { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false },
      },
    }));
  } catch (error) {
    return wrong(error instanceof Error ? error.message : "cannot read the arguments");
  }
  const { host, port, tls, mint, help } = values;
  if (help) return { _tag: "Help" };
  if (values.version) return { _tag: "Version" };
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65_535)
    return wrong("--port must be a number from 0 to 65535");
  if (!isLoopback(host)) return wrong("--host must be a loopback address, such as 127.0.0.1");
  const apiKey = values["api-key"];
  const personalAccessToken = values["personal-access-token"];
  const options = { host, port: Number(port), tls, mint, apiKey, personalAccessToken };
  return { _tag: "Run", options };
};
