import { createServer } from "node:http";

// A bare HTTP server in its own process, so that its work is not counted as the client's.
// `/bytes/<n>` streams n bytes, everything else answers a small JSON.

const small = Buffer.from(JSON.stringify({ id: "resp_1", status: "completed", output: [] }));
const chunk = Buffer.alloc(64 * 1024, 0x61);

const server = createServer((request, response) => {
  const bytes = /^\/v1\/bytes\/(\d+)$/.exec(request.url ?? "")?.[1];
  if (bytes !== undefined) {
    response.writeHead(200, { "content-type": "application/octet-stream" });
    let left = Number(bytes);
    const write = (): void => {
      while (left > 0) {
        left -= chunk.length;
        if (!response.write(chunk)) {
          response.once("drain", write);
          return;
        }
      }
      response.end();
    };
    write();
    return;
  }
  let received = 0;
  request.on("data", (part: Buffer) => {
    received += part.length;
  });
  request.on("end", () => {
    response.writeHead(200, {
      "content-type": "application/json",
      "content-length": small.length,
      "x-received": received,
    });
    response.end(small);
  });
});
server.listen(0, "127.0.0.1", () => {
  const address = server.address();
  if (typeof address === "object" && address !== null) process.send?.(address.port);
});
process.on("disconnect", () => process.exit());
