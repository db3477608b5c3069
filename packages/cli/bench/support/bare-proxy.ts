// A minimal reverse proxy over undici: no signing, no checks, no log. Prints its port.
import { createServer } from "node:http";
import { Agent } from "undici";

const origin = process.argv[2] ?? "";
const agent = new Agent();
const server = createServer((request, response) => {
  const { host: _, connection: __, ...headers } = request.headers;
  const hasBody = headers["content-length"] !== undefined || "transfer-encoding" in headers;
  agent.dispatch(
    {
      origin,
      path: request.url ?? "/",
      method: request.method ?? "GET",
      headers,
      body: hasBody ? request : null,
    },
    {
      onRequestStart() {},
      onResponseStart(_controller, status, answer) {
        const { connection: ___, "keep-alive": ____, ...kept } = answer;
        response.writeHead(status, kept);
      },
      onResponseData(controller, chunk) {
        if (!response.write(chunk)) {
          controller.pause();
          response.once("drain", () => controller.resume());
        }
      },
      onResponseEnd() {
        response.end();
      },
      onResponseError() {
        response.destroy();
      },
    },
  );
});
server.listen(0, "127.0.0.1", () => {
  const address = server.address();
  console.log(typeof address === "object" ? address?.port : "");
});
