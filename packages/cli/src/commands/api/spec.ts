import { defineSpec } from "../../argv/command-spec.ts";

export const spec = defineSpec({
  path: ["api"],
  summary: "send an authenticated request and stream the response",
  description: [
    "PATH is joined to the base URL of the configured model provider. The response, with any status, streams to stdout as it arrives. A whole URL is accepted only if its origin is that of the base URL: the credential never goes to another host.",
    "The method is GET, or POST if there is a body. A body without a Content-Type header is sent as application/json. With -X GET, fields go into the query string.",
    "On a terminal, JSON is indented and coloured, and control characters of the response are replaced. A pipe or file gets the response byte for byte.",
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
    data: {
      type: "string",
      short: "d",
      value: "BODY",
      summary: "the body, as text; @FILE sends a file, @- stdin",
    },
    "raw-field": {
      type: "string",
      short: "f",
      value: "KEY=VALUE",
      multiple: true,
      summary: "a string field of a JSON body; KEY may be nested, as in a[b]=c and a[]=c",
    },
    field: {
      type: "string",
      short: "F",
      value: "KEY=VALUE",
      multiple: true,
      summary:
        "a typed field of a JSON body: true, false, null and whole numbers get their JSON type, @FILE is a file's text",
    },
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
    jq: {
      type: "string",
      value: "EXPRESSION",
      summary: "print what this jq 1.8 expression selects from the response",
    },
  },
  exitCodes: {
    1: "the request failed, or the status of the response is 400 or higher",
    4: "a sign-in is needed, or the status of the response is 401",
  },
  mayNeedSignIn: true,
  examples: [
    {
      line: `agent-auth api responses -d '{"model":"gpt-5","input":"Say hello.","stream":true}'`,
      does: "Send a model request and stream the response",
    },
    { line: "agent-auth api models --jq '.data[].id'", does: "List the ids of models" },
    {
      line: "agent-auth api responses -f model=gpt-5 -f input='Say hello.'",
      does: "Build the body from fields",
    },
    { line: "agent-auth api responses -d @request.json -i", does: "Send a file" },
  ],
});
