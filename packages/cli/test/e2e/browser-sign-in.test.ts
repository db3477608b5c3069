/**
 * `agent-auth login`, the built binary, with a person at test-authority's pages in a real browser. The callback port is
 * one and the same for every sign-in on a machine, so these tests run one after the other, in this one file.
 */
import { createServer, type Server } from "node:http";
import { chmod, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { startTestAuthority, type TestAuthority } from "@agent-auth/test-authority";
import {
  chromiumMissing,
  launchChromium,
  type Browser,
  type Page,
} from "@agent-auth/tools/chromium";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { chatgptSignIn } from "../support/chatgpt-sign-in.ts";
import { CliHome } from "../support/cli.ts";
import { addressOf, startLogin, type LoginOptions } from "./running-login.ts";

vi.setConfig({ testTimeout: 30_000 }); // a browser, a child process or two, on a busy machine

let authority: TestAuthority;
let home: CliHome;
beforeEach(async () => {
  authority = await startTestAuthority();
  home = await CliHome.make();
});
afterEach(async () => {
  await home[Symbol.asyncDispose]();
  await authority.close();
});

const login = (options: LoginOptions = {}, more: readonly string[] = []) =>
  startLogin(home, ["--issuer", authority.issuer, ...more], options);

const isFree = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const probe = createServer();
    probe.once("error", () => resolve(false));
    probe.listen(port, "127.0.0.1", () => probe.close(() => resolve(true)));
  });

/** Another program that listens on a port and never releases it. */
const hold = (port: number): Promise<Server> =>
  new Promise((resolve) => {
    const server = createServer((_request, response) => response.end("mine"));
    server.listen(port, "127.0.0.1", () => resolve(server));
  });

/** Returns the content of auth.json; fails if it is missing. */
const stored = async (): Promise<Record<string, unknown>> =>
  JSON.parse((await home.readAuth()) ?? "null");

const secretsOf = (requests: TestAuthority["requests"], auth: string): readonly string[] => {
  const { tokens, OPENAI_API_KEY } = JSON.parse(auth);
  const verifier = requests.flatMap(
    ({ body }) => new URLSearchParams(body).get("code_verifier") ?? [],
  );
  return [tokens.id_token, tokens.access_token, tokens.refresh_token, OPENAI_API_KEY, ...verifier];
};

const missing = chromiumMissing();
if (missing !== null) console.warn(`sign-in is not tested in a browser: ${missing}`);

describe.skipIf(missing !== null)("agent-auth login, in Chromium", () => {
  let browser: Browser;
  let page: Page;
  let visited: Array<string>;
  beforeAll(async () => {
    browser = await launchChromium();
  }, 180_000);
  afterAll(() => browser?.close());
  beforeEach(async () => {
    page = await browser.newPage();
    visited = [];
    page.on("framenavigated", (frame) => visited.push(frame.url()));
  });
  afterEach(() => page.context().close());

  it("signs in a person who approves, and shows no secret anywhere", async () => {
    await using running = login();
    await page.goto(await addressOf(running));
    await page.click("text=Approve");
    await page.waitForURL("**/success");
    expect(await page.title()).toBe("You are signed in · agent-auth");
    const seen = [await page.content(), ...visited];
    expect(await running.exit).toBe(0);
    expect(running.said()).toContain("Successfully logged in");
    expect(running.said()).toContain(authority.account.email);
    const auth = (await home.readAuth()) ?? "";
    expect(JSON.parse(auth).tokens.account_id).toBe(authority.account.accountId);
    for (const secret of secretsOf(authority.requests, auth)) {
      expect(secret).toMatch(/^.{20,}$/);
      expect([...seen, running.said()].join("\n")).not.toContain(secret);
    }
    const status = await home.run(["login", "status"]);
    expect([status.exitCode, status.stderr || status.stdout]).toEqual([
      0,
      expect.stringContaining("Logged in using ChatGPT"),
    ]);
    expect(await isFree(1455)).toBe(true);
  });

  it("keeps the earlier sign-in when the person denies", async () => {
    await home.writeAuth({ OPENAI_API_KEY: "sk-earlier" });
    const before = await home.readAuth();
    await using running = login();
    await page.goto(await addressOf(running));
    await page.click("text=Deny");
    await page.waitForURL("**/auth/callback?*");
    expect(await page.textContent("h1")).toBe("Access was not allowed");
    expect(await running.exit).toBe(1);
    expect(running.said()).toMatch(/^Error logging in: the sign-in was denied\. .*$/m);
    expect(await home.readAuth()).toBe(before);
    expect(authority.count("token")).toBe(0);
  });

  it("rejects the workspace that the person picks if another one is required", async () => {
    const wanted = authority.account.accountId;
    const other = authority.createAccount();
    await writeFile(join(home.path, "config.toml"), `forced_chatgpt_workspace_id = "${wanted}"`);
    await using running = login();
    const address = await addressOf(running);
    expect(new URL(address).searchParams.get("allowed_workspace_id")).toBe(wanted);
    await page.goto(address);
    await page.check(`input[value="${other.accountId}"]`);
    await page.click("text=Approve");
    await page.waitForURL("**/auth/callback?*");
    expect(await page.textContent("h1")).toBe("This workspace is not allowed");
    expect(await page.innerText("dl")).toContain(other.accountId);
    expect(await running.exit).toBe(1);
    expect(running.said()).toContain(`Login is restricted to workspace id(s) ${wanted}.`);
    expect(await home.readAuth()).toBeNull();
  });

  it("tells a person without Codex to ask the administrator", async () => {
    authority.configure({ denialDescription: "missing_codex_entitlement" });
    await using running = login();
    await page.goto(await addressOf(running));
    await page.click("text=Deny");
    await page.waitForURL("**/auth/callback?*");
    expect(await page.textContent("h1")).toBe("Codex is not enabled for you");
    expect(await running.exit).toBe(1);
    expect(running.said()).toContain(
      "Codex is not enabled for this workspace. Ask the administrator",
    );
  });

  it("shows what went wrong when the token endpoint fails", async () => {
    authority.configure({ authorizationCodeSeconds: 0 });
    await using running = login();
    await page.goto(await addressOf(running));
    await page.click("text=Approve");
    await page.waitForURL("**/auth/callback?*");
    expect(await page.innerText("dl")).toContain("the code has expired");
    expect(await running.exit).toBe(1);
    expect(running.said()).toMatch(
      /^Error logging in: code exchange failed with status 400: invalid_grant: the code has expired\. Run: agent-auth login$/m,
    );
    expect(await home.readAuth()).toBeNull();
  });
});

/** A person's browser without a window: follows the callback as far as it leads. */
const approve = async (address: string): Promise<number> => {
  const answer = await fetch(authority.decideSignIn(address));
  await answer.text();
  return answer.status;
};

/** What the browser of a test was started with, once it was. */
const openedWith = async (file: string): Promise<string> => {
  const read = () => readFile(file, "utf8").catch(() => "");
  await expect.poll(read, { timeout: 5000 }).not.toBe("");
  return read();
};

describe("agent-auth login", () => {
  it("revokes the sign-in that it replaces, once the new one is stored", async () => {
    const old = await authority.mintChatgptTokens();
    await home.writeAuth(chatgptSignIn(authority, old));
    await using running = login();
    expect(await approve(await addressOf(running))).toBe(200);
    expect(await running.exit).toBe(0);
    const [revoked, ...others] = authority.requestsTo("revoke");
    expect(others).toEqual([]);
    expect(JSON.parse(revoked?.body ?? "")).toMatchObject({ token: old.refreshToken });
    expect(JSON.stringify(await stored())).not.toContain(old.refreshToken);
    expect(running.said()).not.toContain("Warning");
  });

  it("warns, also with --quiet, if another account was signed in before", async () => {
    const account = authority.createAccount();
    const before = await authority.mintChatgptTokens({ account });
    await home.writeAuth(chatgptSignIn(authority, before));
    await using running = login({}, ["--quiet"]);
    expect(await approve(await addressOf(running))).toBe(200);
    expect(await running.exit).toBe(0);
    expect(running.said()).toContain(
      `Warning: this is not the account that was signed in before: ${account.email} in workspace ${account.accountId}. If you did not choose it, run: agent-auth logout\n`,
    );
  });

  it("opens the browser that BROWSER names with a link that leads to the address, without its state", async () => {
    const opener = join(home.path, "opener.sh");
    const seen = join(home.path, "opened");
    await writeFile(
      opener,
      `#!/bin/sh\nprintf %s "$1" > '${seen}.new' && mv '${seen}.new' '${seen}'\n`,
    );
    await chmod(opener, 0o755);
    await using running = login({ env: { BROWSER: opener } });
    const address = await addressOf(running);
    const link = await openedWith(seen);
    expect(link).toMatch(/^http:\/\/127\.0\.0\.1:1455\/open\/[\w-]{43}$/);
    const redirect = await fetch(link, { redirect: "manual" });
    expect([redirect.status, redirect.headers.get("location")]).toEqual([302, address]);
    expect(await approve(address)).toBe(200);
    expect(await running.exit).toBe(0);
  });

  it("opens the system's own browser with such a link if there is a display", async () => {
    const seen = join(home.path, "opened");
    const system = join(home.path, "xdg-open");
    await writeFile(
      system,
      `#!/bin/sh\nprintf %s "$1" > '${seen}.new' && mv '${seen}.new' '${seen}'\n`,
    );
    await chmod(system, 0o755);
    const PATH = `${home.path}:${process.env["PATH"] ?? ""}`;
    await using running = login({ env: { BROWSER: "", DISPLAY: ":0", PATH } });
    const address = await addressOf(running);
    const link = await openedWith(seen);
    expect(link).toMatch(/^http:\/\/127\.0\.0\.1:1455\/open\/[\w-]{43}$/);
    const redirect = await fetch(link, { redirect: "manual" });
    expect([redirect.status, redirect.headers.get("location")]).toEqual([302, address]);
    expect(await approve(address)).toBe(200);
    expect(await running.exit).toBe(0);
  });

  it("reports that no browser opened, and continues", async () => {
    await using running = login({ env: { BROWSER: "/nonexistent/browser" } });
    const address = await addressOf(running);
    await running.says(/No browser could be opened/);
    expect(await approve(address)).toBe(200);
    expect(await running.exit).toBe(0);
  });

  it("rejects a callback of another sign-in with one line, and continues", async () => {
    await using running = login();
    const address = await addressOf(running);
    const callback = new URL(new URL(address).searchParams.get("redirect_uri") ?? "");
    callback.search = "?code=x&state=not-mine";
    expect((await fetch(callback)).status).toBe(400);
    await running.says(/State mismatch/);
    expect(await approve(address)).toBe(200);
    expect(await running.exit).toBe(0);
  });

  it("is cancelled by a second sign-in, and exits 2", async () => {
    await using first = login();
    await addressOf(first);
    await using second = login();
    const address = await addressOf(second);
    expect(await first.exit).toBe(2);
    expect(first.said()).toMatch(/^Error logging in: the sign-in was cancelled$/m);
    expect(new URL(address).searchParams.get("redirect_uri")).toContain(":1455/");
    expect(await approve(address)).toBe(200);
    expect(await second.exit).toBe(0);
  });

  it("exits 1 with one line if the browser never comes back", async () => {
    // The binary's own quarter of an hour passes in a second.
    const hurry = join(home.path, "hurry.cjs");
    await writeFile(
      hurry,
      `const wait = globalThis.setTimeout;
       globalThis.setTimeout = (run, ms, ...rest) => wait(run, ms > 600_000 ? 1_000 : ms, ...rest);`,
    );
    await using running = login({
      env: { NODE_OPTIONS: `--require ${hurry}`, BUN_OPTIONS: `--preload=${hurry}` },
    });
    await addressOf(running);
    expect(await running.exit).toBe(1);
    expect(running.said()).toMatch(
      /^Error logging in: the sign-in was not completed within 15 minutes\. Run: agent-auth login/m,
    );
    expect(await home.readAuth()).toBeNull();
    expect(await isFree(1455)).toBe(true);
  });

  it("ends at Ctrl-C with exit code 2, keeps nothing and frees its port", async () => {
    await using running = login();
    await addressOf(running);
    running.child.kill("SIGINT");
    expect(await running.exit).toBe(2);
    expect(running.said()).toContain("Sign-in cancelled.");
    expect(await isFree(1455)).toBe(true);
    expect(await home.readAuth()).toBeNull();
  });

  it("uses the second port if another program has the first, and fails if both are taken", async () => {
    const first = await hold(1455);
    try {
      await using running = login();
      const address = await addressOf(running);
      expect(new URL(address).searchParams.get("redirect_uri")).toBe(
        "http://127.0.0.1:1457/auth/callback",
      );
      expect(await approve(address)).toBe(200);
      expect(await running.exit).toBe(0);
      const second = await hold(1457);
      await using refused = login();
      expect(await refused.exit).toBe(1);
      expect(refused.said()).toMatch(/^Error logging in: .*port 1455 or 1457.*--device-auth$/m);
      second.close();
    } finally {
      first.closeAllConnections();
      first.close();
    }
  });

  it("fails before it opens a port or a browser if the configuration forbids the sign-in", async () => {
    await writeFile(join(home.path, "config.toml"), 'forced_login_method = "api"');
    await using running = login();
    expect(await running.exit).toBe(1);
    expect(running.said()).toMatch(/^ChatGPT login is disabled\. Use API key login instead\..*\n$/);
  });

  it("fails before it opens a port or a browser if the tokens could not be saved", async () => {
    await home.writeAuth({ OPENAI_API_KEY: "sk-earlier" });
    await chmod(home.authFile, 0o400);
    await using running = login();
    expect(await running.exit).toBe(1);
    expect(running.said()).toMatch(
      /^Error logging in: cannot save credentials in \S+auth\.json: .*\n$/,
    );
    expect(authority.requests).toEqual([]);
  });

  it.each([
    ["http://auth.example.com", "plain http is allowed for loopback hosts only"],
    ["nowhere", "it is not an absolute URL"],
  ])("refuses the issuer %s", async (issuer, reason) => {
    await using running = startLogin(home, ["--issuer", issuer]);
    expect(await running.exit).toBe(1);
    expect(running.said()).toContain(`Error logging in: invalid issuer ${issuer}: ${reason}`);
  });
});

describe("agent-auth login, on a terminal", () => {
  it("fits its prose and its waiting line into 40 columns, and leaves the address whole", async () => {
    await using running = login({ columns: 40 });
    const address = await addressOf(running);
    await running.says(/Waiting for the browser \(1[45]:\d\d left\)/);
    expect(await approve(address)).toBe(200);
    expect(await running.exit).toBe(0);
    const lines = screen(running.said());
    const isProse = (line: string) => line !== address && !line.startsWith("  ");
    expect(lines.filter((line) => isProse(line) && line.length > 40)).toEqual([]);
    expect(lines).toContain("Successfully logged in");
    expect(lines.join("\n")).not.toContain("Waiting");
  });

  it("mentions port forwarding over SSH, opens nothing there, and draws nothing on a dumb terminal", async () => {
    await using running = login({
      columns: 80,
      env: { SSH_CONNECTION: "a b c d", BROWSER: "", DISPLAY: ":0", TERM: "dumb" },
    });
    const address = await addressOf(running);
    await running.says(/ssh -L 1455:127\.0\.0\.1:1455/);
    expect(await approve(address)).toBe(200);
    expect(await running.exit).toBe(0);
    expect(running.said()).not.toContain("\u001b");
  });
});

/** What is left on a screen after carriage returns and erased lines have done their work. */
const screen = (text: string): readonly string[] =>
  text
    .split("\n")
    .map((line) => line.replace(/\r$/, "").split("\u001b[2K").at(-1)?.replaceAll("\r", "") ?? "");
