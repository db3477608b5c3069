/** The built binary where the way out is a proxy: HTTPS_PROXY, with an authority that is reached under https alone. */
import { startTestAuthority, type TestAuthority } from "@agent-auth/test-authority";
import { writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { connect } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CliHome } from "./support/cli.ts";

let authority: TestAuthority;
beforeAll(async () => {
  authority = await startTestAuthority({ tls: "self-signed" });
});
afterAll(() => authority.close());

/** An HTTP proxy that knows one name, `localhost.`, which is not a loopback host, unlike `localhost`. */
const startProxy = async () => {
  const tunnels: string[] = [];
  const server = createServer((_, answer) => answer.writeHead(405).end());
  server.on("connect", ({ url = "" }, socket) => {
    tunnels.push(url);
    const onward = connect(Number(url.split(":")[1]), "127.0.0.1", () => {
      socket.write("HTTP/1.1 200 Connection established\r\n\r\n");
      onward.pipe(socket).pipe(onward);
    });
    onward.on("error", () => socket.destroy());
    socket.on("error", () => onward.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the proxy has no port");
  return {
    url: `http://127.0.0.1:${address.port}`,
    tunnels,
    [Symbol.asyncDispose]: () => new Promise<void>((resolve) => server.close(() => resolve())),
  };
};

const away = (url: string) => url.replace("127.0.0.1", "localhost.");

const setUp = async (proxyUrl: string) => {
  const home = await CliHome.make(`chatgpt_base_url = "${away(authority.chatgptBaseUrl)}"\n`);
  const roots = join(home.path, "roots.pem");
  await writeFile(roots, authority.certificate ?? "");
  const env = {
    HTTPS_PROXY: proxyUrl,
    CODEX_CA_CERTIFICATE: roots,
    CODEX_AGENT_IDENTITY_AUTHAPI_BASE_URL: away(authority.accountsBaseUrl),
  };
  return { home, env, host: new URL(away(authority.url)).host };
};

describe("behind an HTTPS_PROXY", () => {
  it("an agent signs in and sends requests through its tunnels only", async () => {
    await using proxy = await startProxy();
    const { home, env, host } = await setUp(proxy.url);
    await using _home = home;
    const stdin = await authority.mintAgentIdentityJwt();
    const login = await home.run(["login", "--with-agent-identity"], { stdin, env });
    expect(login.stderr).toContain("Successfully logged in\n");
    const { exitCode, stdout, stderr } = await home.run(["api", "models"], { env });
    expect([exitCode, stderr]).toEqual([0, ""]);
    expect(JSON.parse(stdout)).toMatchObject({ object: "list" });
    expect(proxy.tunnels.length).toBeGreaterThanOrEqual(2);
    expect(new Set(proxy.tunnels)).toEqual(new Set([host]));
  });

  it("a proxy that is down is named by its variable and its URL", async () => {
    const { home, env } = await setUp("http://127.0.0.1:1");
    await using _home = home;
    const key = { ...env, CODEX_API_KEY: "sk-x" };
    const { exitCode, stderr } = await home.run(["api", "models"], { env: key });
    expect(stderr).toContain(
      "HTTPS_PROXY: the proxy http://127.0.0.1:1 failed: connection refused",
    );
    expect(exitCode).toBe(1);
  });
});
