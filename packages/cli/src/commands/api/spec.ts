import { defineSpec } from "../../argv/command-spec.ts";

export const spec = defineSpec({
  path: ["api"],
  summary: "send an authenticated request and stream the answer",
  description: [
    "PATH is joined to the base URL of the configured model provider. The answer streams to stdout as it arrives, whatever its status. A whole URL is accepted only where it stays under that base URL's origin: a credential never goes to another host.",
    "The method is GET, or POST where there is a body. A body without a Content-Type header is sent as application/json.",
  ],
  args: [{ name: "path", required: true, summary: "such as `responses` or `models`" }],
  flags: {
    method: { type: "string", short: "X", value: "METHOD", summary: "the request's method" },
    header: {
      type: "string",
      short: "H",
      value: "'NAME: VALUE'",
      multiple: true,
      summary: "a header to add",
    },
    data: { type: "string", short: "d", value: "BODY", summary: "the body, as text" },
    input: {
      type: "string",
      value: "FILE",
      summary: "stream the body from a file, or - for stdin",
    },
    include: {
      type: "boolean",
      short: "i",
      summary: "print the status line and headers before the body",
    },
  },
  exitCodes: {
    1: "the request failed, or the answer's status is 400 or higher",
    4: "a sign-in is needed, or the answer's status is 401",
  },
  mayNeedSignIn: true,
  examples: [
    {
      line: `agent-auth api responses -d '{"model":"gpt-5","input":"Say hello.","stream":true}'`,
      does: "Ask a model, and watch the answer stream",
    },
    { line: "agent-auth api models", does: "List models" },
    { line: "agent-auth api responses --input request.json -i", does: "Send a file" },
  ],
});
