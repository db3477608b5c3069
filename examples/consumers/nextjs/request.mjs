// Starts the built server on a free port, and prints the status of one request.
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

const server = spawn(
  process.execPath,
  ["../node_modules/next/dist/bin/next", "start", "--port", "0", "--hostname", "127.0.0.1"],
  {
    stdio: ["ignore", "pipe", "inherit"],
  },
);
let url;
for await (const line of createInterface({ input: server.stdout })) {
  url ??= /Local:\s+(\S+)/.exec(line)?.[1];
  if (line.includes("Ready")) break;
}
const response = await fetch(`${url}/api/models`);
await response.text();
server.kill();
console.log(response.status);
