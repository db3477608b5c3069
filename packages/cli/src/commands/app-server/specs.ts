import { defineSpec } from "../../argv/command-spec.ts";

export const serveSpec = defineSpec({
  path: ["app-server"],
  summary: "serve the Codex account methods to editors and apps",
  description: [
    "Serves JSON-RPC methods with which clients sign in and out and read the account and its usage, and notifies them of every change. Flags, messages and texts are those of `codex app-server`; Codex's methods for conversations with a model are not served.",
    "By default there is one client, on stdin and stdout, one message per line; the end of stdin ends the command. With --listen ws://IP:PORT or unix://PATH, clients connect with WebSockets. GET /readyz and GET /healthz answer 200. Web pages cannot connect: a request with an Origin header is refused.",
    "A ws:// listener needs --ws-auth. `--ws-auth none` works on loopback addresses only. On Linux it then serves you and root, unless --ws-allow-other-users is given; other systems do not report who connects, so every user of the machine can. A Unix socket can be opened only by you; its default path is $CODEX_HOME/app-server-control/app-server-control.sock.",
    "docs/run-the-app-server.md has examples, the limits, and the differences from Codex.",
  ],
  args: [],
  flags: {
    listen: {
      type: "string",
      value: "URL",
      summary: "stdio:// (default), unix://, unix://PATH, or ws://IP:PORT",
    },
    stdio: { type: "boolean", summary: "the same as --listen stdio://" },
    "ws-auth": {
      type: "string",
      value: "MODE",
      summary: "how WebSocket clients authenticate",
      choices: ["capability-token", "signed-bearer-token", "none"],
    },
    "ws-token-file": {
      type: "string",
      value: "PATH",
      summary: "the file with the capability token",
    },
    "ws-token-sha256": {
      type: "string",
      value: "HEX",
      summary: "the SHA-256 digest of the capability token, instead of a file",
    },
    "ws-shared-secret-file": {
      type: "string",
      value: "PATH",
      summary: "the file with the secret of signed tokens (HS256), at least 32 bytes",
    },
    "ws-issuer": { type: "string", value: "ISSUER", summary: "the required iss claim of tokens" },
    "ws-audience": {
      type: "string",
      value: "AUDIENCE",
      summary: "the required aud claim of tokens",
    },
    "ws-max-clock-skew-seconds": {
      type: "string",
      value: "SECONDS",
      summary: "tolerance for exp and nbf; default 30",
    },
    "ws-allowed-host": {
      type: "string",
      value: "NAME",
      multiple: true,
      summary: "also accept this host name in Host, for a reverse proxy",
    },
    "ws-allow-other-users": {
      type: "boolean",
      summary: "with --ws-auth none, serve every user of this machine",
    },
    "startup-sign-out": {
      type: "boolean",
      summary: "with --print-startup-config: sign out first",
    },
    "print-startup-config": {
      type: "boolean",
      summary: "check the configuration, print its requirements as JSON, and exit",
    },
    "startup-client-info": {
      type: "string",
      value: "JSON",
      summary: 'the client, as {"name","version"}; its name is the originator of requests',
    },
    "strict-config": { type: "boolean", hidden: true, summary: "a flag of Codex; not supported" },
    "code-mode-host": {
      type: "string",
      value: "URL",
      hidden: true,
      summary: "a flag of Codex; not supported",
    },
    "cloud-skills-snapshot": {
      type: "string",
      value: "PATH",
      hidden: true,
      summary: "a flag of Codex; not supported",
    },
    "analytics-default-enabled": {
      type: "boolean",
      hidden: true,
      summary: "accepted for Codex; nothing is reported",
    },
    enable: {
      type: "string",
      value: "FEATURE",
      multiple: true,
      hidden: true,
      summary: "accepted for Codex",
    },
    disable: {
      type: "string",
      value: "FEATURE",
      multiple: true,
      hidden: true,
      summary: "accepted for Codex",
    },
  },
  endsOnSignal: true,
  exitCodes: {
    0: "stdin ended, or stopped by Ctrl-C or SIGTERM",
    1: "it could not start",
    2: "invalid command line",
  },
  examples: [
    { line: "agent-auth app-server", does: "Serve the program that starts this command" },
    {
      line: "agent-auth app-server --listen unix://",
      does: "Serve every program of this user",
    },
    {
      line: 'agent-auth app-server --listen ws://127.0.0.1:4500 --ws-auth capability-token --ws-token-file "$HOME/app-server-token"',
      does: "Serve programs that send the token",
    },
  ],
});

export const proxySpec = defineSpec({
  path: ["app-server", "proxy"],
  summary: "connect stdin and stdout to a running app server",
  description: [
    "Copies bytes in both directions, unchanged: the program at stdin and stdout has to speak WebSocket. The command ends when the server closes the connection, or at most 2 seconds after stdin has ended.",
  ],
  args: [],
  flags: {
    sock: {
      type: "string",
      value: "PATH",
      summary: "the socket; default: the one in $CODEX_HOME",
    },
  },
  endsOnSignal: true,
  exitCodes: {
    0: "the connection was closed",
    1: "no server listens on the socket",
    2: "invalid command line",
  },
  examples: [
    {
      line: "ssh build.example agent-auth app-server proxy",
      does: "Reach the app server of another machine",
    },
  ],
});

const generateFlags = {
  out: { type: "string", short: "o", value: "DIR", summary: "the folder to write to" },
  experimental: {
    type: "boolean",
    summary: "include the types of experimental methods",
  },
} as const;

export const jsonSchemaSpec = defineSpec({
  path: ["app-server", "generate-json-schema"],
  summary: "write JSON Schemas of the methods",
  description: [
    "Writes one file for each type, and codex_app_server_protocol.schemas.json with all of them. They are generated from the schemas that check requests. Files and names are those of Codex, for the account methods.",
  ],
  args: [],
  flags: generateFlags,
  examples: [
    {
      line: "agent-auth app-server generate-json-schema --out schemas",
      does: "Write to ./schemas",
    },
  ],
});

export const typeScriptSpec = defineSpec({
  path: ["app-server", "generate-ts"],
  summary: "write TypeScript types of the methods",
  description: [
    "Writes one module for each type, and index.ts with all of them. Files and names are those of Codex, for the account methods; ClientRequest.ts, ServerNotification.ts and ServerRequest.ts have the messages.",
  ],
  args: [],
  flags: generateFlags,
  examples: [{ line: "agent-auth app-server generate-ts --out types", does: "Write to ./types" }],
});
