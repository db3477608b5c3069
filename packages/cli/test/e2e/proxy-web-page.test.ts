/** `agent-auth proxy`, the built binary, and a web page in a real browser that tries to use it. */
import { startTestAuthority, type TestAuthority } from "@agent-auth/test-authority";
import { chromiumMissing, launchChromium, type Browser } from "@agent-auth/tools/chromium";
import { createServer, type Server } from "node:http";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { CliHome } from "../support/cli.ts";
import { RunningProxy } from "../support/proxy.ts";

vi.setConfig({ testTimeout: 30_000 }); // a browser and a child process, on a busy machine

const missing = chromiumMissing();
if (missing !== null) console.warn(`the proxy is not attacked from a browser: ${missing}`);

/** Every way in which a page reaches another origin without asking it first; each names itself in the path. */
const attacks = [
  "fetch(at('get'), { mode: 'no-cors' })",
  "fetch(at('read'))",
  "fetch(at('post'), { method: 'POST', mode: 'no-cors', body: '{}' })",
  "fetch(at('put'), { method: 'PUT', headers: { 'content-type': 'application/json' } })",
  "element('img', 'src', at('img'))",
  "element('script', 'src', at('script'))",
  "element('link', 'href', at('style'))",
  "element('iframe', 'src', at('frame'))",
  "form(at('form'))",
  "navigator.sendBeacon(at('beacon'), 'x')",
  "closed(new WebSocket(at('socket').replace('http', 'ws')))",
  "closed(new EventSource(at('events')))",
];

const names = attacks.map((attack) => /at\('(\w+)'\)/u.exec(attack)?.[1]);

const page = (
  target: string,
) => `<!doctype html><title>trying</title><body><iframe name=in></iframe>
<script>
const at = (name) => ${JSON.stringify(target)} + '/models/' + name;
const closed = (socket) => new Promise((done) => { socket.onerror = done; socket.onopen = done; });
const element = (tag, key, url) => new Promise((done) => {
  const made = Object.assign(document.createElement(tag), { [key]: url, onload: done, onerror: done });
  if (tag === 'link') made.rel = 'stylesheet';
  document.body.append(made);
});
const form = (action) => {
  const made = Object.assign(document.createElement('form'), { action, method: 'post', target: 'in' });
  document.body.append(made);
  made.submit();
};
Promise.allSettled([${attacks.map((attack) => `(async () => ${attack})()`).join(",\n")}])
  .then(() => { document.title = 'tried'; });
</script>`;

const refusal = (name: string | undefined) =>
  expect.stringMatching(new RegExp(` /models/${name} 403 .*CLI_PROXY_BROWSER_REQUEST`, "u"));

describe.skipIf(missing !== null)("a web page in Chromium", () => {
  let authority: TestAuthority;
  let home: CliHome;
  let proxy: RunningProxy;
  let site: Server;
  let browser: Browser;
  beforeAll(async () => {
    authority = await startTestAuthority();
    home = await CliHome.make(`openai_base_url = "${authority.openaiBaseUrl}"\n`);
    proxy = await RunningProxy.start(home, [], { CODEX_API_KEY: authority.addApiKey() });
    site = createServer((request, response) => {
      response.setHeader("content-type", "text/html");
      response.end(page(`http:/${request.url}`));
    });
    await new Promise<void>((resolve) => site.listen(0, "127.0.0.1", resolve));
    browser = await launchChromium();
  }, 180_000);
  afterAll(async () => {
    await browser?.close();
    site.close();
    await proxy[Symbol.asyncDispose]();
    await home[Symbol.asyncDispose]();
    await authority.close();
  });

  const sitePort = () => {
    const address = site.address();
    return typeof address === "object" ? (address?.port ?? 0) : 0;
  };

  it("cannot be opened as a link, nor reached by a redirect of one", async () => {
    const before = authority.requests.length;
    const tab = await browser.newPage();
    const opened = await tab.goto(`http://127.0.0.1:${proxy.port}/models/link`);
    expect(opened?.status()).toBe(403);
    const redirector = createServer((_, response) => {
      response
        .writeHead(302, { location: `http://localhost:${proxy.port}/models/redirected` })
        .end();
    });
    await new Promise<void>((resolve) => redirector.listen(0, "127.0.0.1", resolve));
    const address = redirector.address();
    const port = typeof address === "object" ? (address?.port ?? 0) : 0;
    const redirected = await tab.goto(`http://localhost:${port}/`);
    redirector.close();
    expect(redirected?.status()).toBe(403);
    expect(await proxy.logged(/redirected/u)).toContain("CLI_PROXY_BROWSER_REQUEST");
    expect(authority.requests).toHaveLength(before);
    await tab.close();
  });

  it.each([
    ["of another site", "127.0.0.1"],
    ["of the same site, on another port", "localhost"],
  ])("%s cannot send any kind of request through the proxy", async (_, host) => {
    const before = authority.requests.length;
    const logged = proxy.log.length;
    const tab = await browser.newPage();
    await tab.goto(`http://localhost:${sitePort()}/${host}:${proxy.port}`);
    await tab.waitForFunction("document.title === 'tried'");
    await vi.waitFor(() => {
      for (const name of names) expect(proxy.log.slice(logged)).toContainEqual(refusal(name));
    });
    expect(proxy.log.slice(logged).filter((line) => !line.includes(" 403 "))).toEqual([]);
    expect(authority.requests).toHaveLength(before);
    await tab.close();
  });
});
