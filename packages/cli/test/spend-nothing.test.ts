/** A refresh token can be used once. No command sends it if its successor could not be stored. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmod, link, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { startTestAuthority } from "@agent-auth/test-authority";
import { describe, expect, it } from "vitest";
import { chatgptSignIn } from "./support/chatgpt-sign-in.ts";
import { agentAuth, CliHome, ended, type Ended } from "./support/cli.ts";

const setUp = async () => {
  const authority = await startTestAuthority();
  const home = await CliHome.make(`chatgpt_base_url = "${authority.chatgptBaseUrl}"\n`);
  const tokens = await authority.mintChatgptTokens({ expiresInSeconds: -60 });
  const signIn = chatgptSignIn(authority, tokens);
  await home.writeAuth(signIn);
  return {
    authority,
    home,
    signIn,
    [Symbol.asyncDispose]: async () => {
      await home[Symbol.asyncDispose]();
      await authority.close();
    },
  };
};

const commands: ReadonlyArray<{ readonly name: string; readonly args: ReadonlyArray<string> }> = [
  { name: "token", args: ["token"] },
  { name: "api", args: ["api", "models"] },
];
const canFlock = spawnSync("flock", ["--version"]).status === 0;

const hasAttributes = (path: string): boolean => {
  const isSet = spawnSync("chattr", ["+a", path]).status === 0;
  spawnSync("chattr", ["-a", path]);
  return isSet;
};

describe.concurrent.each(commands)("$name sends no refresh token", ({ args }) => {
  it.skipIf(!canFlock)(
    "if another program holds auth.json.lock for longer than the wait (needs flock of util-linux)",
    async () => {
      await using at = await setUp();
      const lock = `${at.home.authFile}.lock`;
      const holder = spawn("flock", [lock, "sh", "-c", "echo held; exec cat"]);
      await once(holder.stdout, "data");
      const { exitCode, stderr } = await at.home.run(args);
      holder.stdin.end();
      expect(stderr).toContain(lock);
      expect(exitCode).toBe(1);
      expect(at.authority.count("refresh")).toBe(0);
    },
  );

  it("right after an attempt series has failed, and says when the next one is possible", async () => {
    await using at = await setUp();
    at.authority.behave("refresh", { status: 503 });
    const first = await at.home.run(args);
    const second = await at.home.run(args);
    const failed = "access token could not be refreshed after 3 attempts";
    const when =
      /Try again after (\S+Z)\. Run: agent-auth doctor\n$/u.exec(first.stderr)?.[1] ?? "";
    expect(first.stderr).toContain(failed);
    expect(second.stderr).toContain(failed);
    expect(second.stderr).toContain(`the next attempt is not made before ${when})`);
    expect([first.exitCode, second.exitCode]).toEqual([1, 1]);
    expect(at.authority.count("refresh")).toBe(3);
  });

  it("if auth.json is read-only", async () => {
    await using at = await setUp();
    await chmod(at.home.authFile, 0o400);
    const { exitCode, stderr } = await at.home.run(args);
    expect(stderr).toContain(`cannot save credentials in ${at.home.authFile}: it is read-only`);
    expect(exitCode).toBe(1);
    expect(at.authority.count("refresh")).toBe(0);
  });

  it("if auth.json has a second name", async () => {
    await using at = await setUp();
    await link(at.home.authFile, `${at.home.authFile}.other`);
    const { exitCode, stderr } = await at.home.run(args);
    expect(stderr).toContain(`cannot save credentials in ${at.home.authFile}: it has another name`);
    expect(exitCode).toBe(1);
    expect(at.authority.count("refresh")).toBe(0);
  });

  it("if the folder is append-only", async ({ skip }) => {
    await using at = await setUp();
    if (!hasAttributes(at.home.path)) skip("needs root and a file system with chattr +a");
    spawnSync("chattr", ["+a", at.home.path]);
    const { exitCode, stderr } = await at.home
      .run(args)
      .finally(() => spawnSync("chattr", ["-a", at.home.path]));
    expect(stderr).toContain("append-only");
    expect(exitCode).toBe(1);
    expect(at.authority.count("refresh")).toBe(0);
  });
});

const canMount =
  process.getuid?.() === 0 &&
  process.platform === "linux" &&
  spawnSync("unshare", ["-m", "true"]).status === 0;

/** Runs `agent-auth token` where a file outside of CODEX_HOME is mounted as its auth.json. */
const tokenInMount = async (
  home: CliHome,
  signIn: unknown,
  option: string,
): Promise<{ readonly ended: Ended; readonly content: string }> => {
  const folder = join(home.path, "mounted");
  const given = join(folder, "given.json");
  await mkdir(folder);
  await writeFile(given, JSON.stringify(signIn), { mode: 0o600 });
  const script = `mount --bind ${option} "$1" "$2" && shift 2 && exec "$@"`;
  const words = [given, home.authFile, ...agentAuth, "token"];
  const child = spawn("unshare", ["-m", "sh", "-c", script, "sh", ...words], {
    env: home.env(),
    stdio: ["pipe", "pipe", "pipe"],
  });
  return { ended: await ended(child), content: await readFile(given, "utf8") };
};

describe.skipIf(!canMount)(
  `token, if auth.json is a mount point${canMount ? "" : " (skipped: needs root on Linux, and unshare)"}`,
  () => {
    it("sends no refresh token if the mount is read-only", async () => {
      await using at = await setUp();
      const { content, ended } = await tokenInMount(at.home, at.signIn, "-o ro");
      expect(ended.stderr).toContain("it is read-only");
      expect(ended.exitCode).toBe(1);
      expect(at.authority.count("refresh")).toBe(0);
      expect(JSON.parse(content)).toEqual(at.signIn);
    });

    it("refreshes, and stores the new tokens in place", async () => {
      await using at = await setUp();
      const { content, ended } = await tokenInMount(at.home, at.signIn, "");
      expect(ended.exitCode).toBe(0);
      expect(at.authority.count("refresh")).toBe(1);
      const { tokens } = JSON.parse(content);
      expect(ended.stdout).toBe(`${tokens.access_token}\n`);
      expect(tokens.refresh_token).not.toBe(at.signIn.tokens.refresh_token);
    });
  },
);

describe.concurrent.each([
  { name: "login status", args: ["login", "status"] },
  { name: "doctor", args: ["doctor", "--json"] },
])("$name, if the access token has expired", ({ args }) => {
  it("sends no refresh token, and leaves auth.json as it is", async () => {
    await using at = await setUp();
    const before = await at.home.readAuth();
    await at.home.run(args);
    expect(at.authority.count("refresh")).toBe(0);
    expect(await at.home.readAuth()).toBe(before);
  });
});
