import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { describe, expect, it, onTestFinished } from "vitest";
import { chatgptDocument, openAuthority, openHome } from "./manager/fixture.ts";

const readme = join(import.meta.dirname, "../README.md");
const embedding = join(import.meta.dirname, "../../../docs/embedding.md");
const example = (name: string) => join(import.meta.dirname, "examples", name);
const read = (path: string) => readFile(path, "utf8");

const start = (name: string, env: Readonly<Record<string, string>>) => {
  const child = spawn(process.execPath, ["--conditions=@agent-auth/source", example(name)], {
    env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  return child;
};

const outcome = async (name: string, env: Readonly<Record<string, string>>) => {
  const child = start(name, env);
  const [out, err, [code]] = await Promise.all([
    child.stdout.toArray(),
    child.stderr.toArray(),
    once(child, "close"),
  ]);
  return { out: out.join(""), err: err.join(""), code };
};

describe.each([
  ["promises.ts", "ApiKey from File\n", 1],
  ["effect.ts", "ApiKey\n", 0],
])("README.md, %s", (name, answer, failureCode) => {
  it("stands there as it is tested", async () => {
    expect(await read(readme)).toContain(await read(example(name)));
  });

  it("says who is signed in, and that nobody is", async () => {
    const home = await openHome();
    expect(await outcome(name, { CODEX_HOME: home.path })).toEqual({
      out: "signed out\n",
      err: "",
      code: 0,
    });
    await home.write({ OPENAI_API_KEY: "sk-stored" });
    expect(await outcome(name, { CODEX_HOME: home.path })).toEqual({
      out: answer,
      err: "",
      code: 0,
    });
  });

  it("says what is wrong and what to do", async () => {
    const home = await openHome();
    await home.write("{}");
    expect(await outcome(name, { CODEX_HOME: home.path })).toEqual({
      out: "",
      err: `${home.authJson}: it holds neither an API key, nor tokens, nor an agent identity (LOGIN_CREDENTIAL_UNUSABLE). Sign in again.\n`,
      code: failureCode,
    });
  });
});

describe("docs/embedding.md", () => {
  it("shows the server as it is tested", async () => {
    expect(await read(embedding)).toContain(await read(example("server.ts")));
  });

  it("serves many clients with one sign-in, over a 401, and stops when told", async () => {
    const home = await openHome();
    const authority = await openAuthority();
    const document = await chatgptDocument(authority);
    await home.write(document);
    const child = start("server.ts", {
      BACKEND: `${authority.chatgptBaseUrl}/codex`,
      CODEX_HOME: home.path,
      CODEX_REFRESH_TOKEN_URL_OVERRIDE: `${authority.url}/oauth/token`,
    });
    const line = await createInterface({ input: child.stdout })[Symbol.asyncIterator]().next();
    const { port }: { port: number } = JSON.parse(line.value ?? "");
    authority.revokeAccessToken(document.tokens.access_token);
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => fetch(`http://127.0.0.1:${port}/`)),
    );
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    expect(authority.count("refresh")).toBe(1);
    child.kill("SIGTERM");
    const [code] = await once(child, "exit");
    expect(code).toBe(0);
  });
});
