import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createBrotliCompress, createDeflate, createGzip } from "node:zlib";
import { startTestAuthority } from "@agent-auth/test-authority";
import { describe, expect, it, onTestFinished } from "vitest";
import { openHome, signIn } from "./support/home.ts";
import { openService } from "./support/service.ts";

type Answer = (request: IncomingMessage, response: ServerResponse) => unknown;

/** A service that is signed in, whose account backend answers like this. */
const serviceWith = async (answer: Answer) => {
  const server = createServer((request, response) => {
    if (request.url?.endsWith("/profiles/me") === true) answer(request, response);
    else response.writeHead(404).end(); // it knows no workspaces
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  const address = server.address();
  const port = typeof address === "object" ? address?.port : undefined;
  const authority = await startTestAuthority();
  onTestFinished(() => authority.close());
  const home = await openHome();
  const tokens = await signIn(home, authority);
  const { service } = await openService({
    home,
    configOverrides: [`chatgpt_base_url=http://127.0.0.1:${port}/backend-api`],
  });
  return { service, tokens };
};

const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error));

/** 512 MiB of spaces. */
const spaces = () => {
  const chunk = Buffer.alloc(1024 * 1024, 0x20);
  return Readable.from(Array.from({ length: 512 }, () => chunk));
};

describe("a hostile backend", () => {
  it.each([
    ["gzip", createGzip, 200],
    ["br", createBrotliCompress, 200],
    ["deflate", createDeflate, 500],
    ["identity", undefined, 200],
  ] as const)(
    "that sends 512 MiB as %s is cut off at 1 MiB",
    async (encoding, compress, status) => {
      let sent = 0;
      const { service } = await serviceWith(async (_, response) => {
        response.writeHead(status, { "content-encoding": encoding });
        const source = spaces().on("data", (chunk: Buffer) => (sent += chunk.length));
        const stages = compress === undefined ? [source] : [source, compress()];
        await pipeline([...stages, response]).catch(() => {});
      });
      const error = await service.tokenUsage().then(String, messageOf);
      expect(error).toContain("the response is longer than 1 MiB");
      expect(sent).toBeLessThan(512 * 1024 * 1024);
    },
  );

  it.each([
    ["the request's headers", ({ rawHeaders }: IncomingMessage) => rawHeaders.join("\n")],
    ["the token alone", ({ headers }: IncomingMessage) => headers.authorization?.slice(7) ?? ""],
    ["HTML", ({ headers }: IncomingMessage) => `<b>"${headers.authorization}"</b>\u001b]0;x\u0007`],
  ])("whose error repeats %s does not make the error show the token", async (_, body) => {
    const { service, tokens } = await serviceWith((request, response) =>
      response.writeHead(500).end(body(request)),
    );
    const error = await service.tokenUsage().then(String, messageOf);
    expect(error).toContain("500 Internal Server Error");
    expect(error).toContain("***");
    expect(error).not.toContain(tokens.accessToken);
    expect(error).not.toContain(tokens.accessToken.split(".")[1]);
    expect(error).not.toMatch(/[^\P{Cc}\n\t]/u);
  });
});
