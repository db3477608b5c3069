import { defineSpec } from "../../argv/command-spec.ts";

export const spec = defineSpec({
  path: ["proxy"],
  summary: "authenticate every request of any program, on a loopback port",
  description: [
    "Listens on 127.0.0.1 and passes requests on to the configured model provider, each with fresh credentials: set a program's base URL to the one that is printed (with or without /v1 behind it) and it speaks for the signed-in account. Whatever API key the program sends is replaced.",
    "Bodies stream in both directions, WebSocket upgrades pass, and a 401 is mended and the request sent again where its body is not over 1 MiB.",
    "Foreign Host and Origin headers are refused, so web pages cannot use it. Every program on this machine can, however, until it stops.",
    "The base URL is printed on stdout, and on stderr an access log without queries, headers or bodies. Ctrl-C stops it: requests under way may finish first.",
  ],
  args: [],
  flags: {
    port: { type: "string", short: "p", value: "PORT", summary: "the port; default: any free one" },
    grace: {
      type: "string",
      value: "SECONDS",
      summary: "how long requests under way may take when it stops; default 10",
    },
    json: { type: "boolean", summary: "print the base URL in JSON (docs/json-output.md)" },
  },
  exitCodes: {
    0: "stopped by Ctrl-C or SIGTERM",
    1: "it could not start",
    2: "the command line makes no sense",
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
      does: "In another: an unchanged program becomes an agent",
    },
  ],
});
