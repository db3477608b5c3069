import { defineSpec } from "../../argv/command-spec.ts";

export const spec = defineSpec({
  path: ["proxy"],
  summary: "authenticate every request of any program, on a loopback port",
  description: [
    "Listens on 127.0.0.1 and forwards requests to the configured model provider with fresh credentials. Set a program's base URL to the URL that is printed, with or without /v1 at its end. The API key that the program sends is replaced.",
    "Bodies stream in both directions and WebSocket upgrades are forwarded. After a 401 the credential is recovered and the request is sent again if its body is at most 1 MiB.",
    "Requests from web pages are rejected. On Linux, only the user who started the proxy, and root, can use it. To keep other users out elsewhere, use --token-file or --listen.",
    "GET /healthz and GET /readyz are answered by the proxy itself. The base URL goes to stdout; an access log without queries, headers or bodies goes to stderr. Ctrl-C stops the proxy after the requests in progress have finished.",
  ],
  args: [],
  flags: {
    port: { type: "string", short: "p", value: "PORT", summary: "the port; default: any free one" },
    listen: {
      type: "string",
      value: "ADDRESS",
      summary: "unix:///absolute/path: a Unix socket that only you can open, instead of a port",
    },
    "token-file": {
      type: "string",
      value: "FILE",
      summary:
        "clients must send the token in FILE as their API key; created with a random token if it does not exist",
    },
    "allow-other-users": {
      type: "boolean",
      summary: "other users of this machine may connect (Linux)",
    },
    cookies: { type: "boolean", summary: "forward Cookie and Set-Cookie headers" },
    grace: {
      type: "string",
      value: "SECONDS",
      summary: "how long requests in progress may take when the proxy stops; default 10",
    },
    json: { type: "boolean", summary: "print the base URL as JSON (docs/json-output.md)" },
  },
  exitCodes: {
    0: "stopped by Ctrl-C or SIGTERM",
    1: "it could not start",
    2: "invalid command line",
  },
  endsOnSignal: true,
  mayNeedSignIn: true,
  examples: [
    {
      line: "agent-auth proxy --port 8080",
      does: "In one terminal",
    },
    {
      line: "OPENAI_BASE_URL=http://127.0.0.1:8080/v1 OPENAI_API_KEY=unused python app.py",
      does: "In another: an unchanged program sends authenticated requests",
    },
  ],
});
