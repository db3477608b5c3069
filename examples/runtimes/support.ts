import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { ChatgptTokens, TestAuthority } from "@agent-auth/test-authority";

/** The methods of the authority that `authority.ts` offers. */
interface Methods extends Pick<
  TestAuthority,
  | "behave"
  | "count"
  | "decideDevice"
  | "decideSignIn"
  | "mintAgentIdentityJwt"
  | "mintChatgptTokens"
> {
  readonly startWithTls: () => Promise<Facts & { readonly apiKey: string }>;
}

type Facts = Pick<
  TestAuthority,
  "account" | "certificate" | "chatgptBaseUrl" | "issuer" | "openaiBaseUrl"
>;

/** A test authority that runs in Node, whatever runtime this program runs in. */
export interface Authority extends Facts {
  readonly call: <M extends keyof Methods>(
    name: M,
    ...args: Parameters<Methods[M]>
  ) => Promise<Awaited<ReturnType<Methods[M]>>>;
}

const isNode = !("bun" in process.versions) && !("deno" in process.versions);
const node = isNode ? process.execPath : "node";

/** Starts `authority.ts`, and returns what it prints and how to end it. */
export const startAuthority = async () => {
  const program = join(import.meta.dirname, "authority.ts");
  const child = spawn(node, [program], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const line = await createInterface({ input: child.stdout })[Symbol.asyncIterator]().next();
  const printed: string = line.value ?? "";
  return { printed, close: () => child.stdin.end() };
};

/** Returns the authority that `startAuthority` started. */
export const connectAuthority = (printed: string): Authority => {
  const { steering, ...facts } = JSON.parse(printed);
  return {
    ...facts,
    call: async (name, ...args) => {
      const response = await fetch(steering, {
        method: "POST",
        body: JSON.stringify({ name, args }),
      });
      return await response.json();
    },
  };
};

/** A temporary CODEX_HOME whose configuration and variables point at the authority. */
export const makeHome = async (authority: Facts) => {
  const path = await mkdtemp(join(tmpdir(), "runtimes-"));
  await writeFile(
    join(path, "config.toml"),
    `chatgpt_base_url = ${JSON.stringify(authority.chatgptBaseUrl)}\n` +
      `openai_base_url = ${JSON.stringify(authority.openaiBaseUrl)}\n`,
  );
  const signIn = async (tokens: ChatgptTokens): Promise<void> => {
    const { accessToken, accountId, idToken, refreshToken } = tokens;
    const document = {
      auth_mode: "chatgpt",
      OPENAI_API_KEY: null,
      tokens: {
        id_token: idToken,
        access_token: accessToken,
        refresh_token: refreshToken,
        account_id: accountId,
      },
      last_refresh: new Date().toISOString(),
    };
    await writeFile(join(path, "auth.json"), JSON.stringify(document), { mode: 0o600 });
  };
  return {
    path,
    signIn,
    variables: {
      CODEX_HOME: path,
      CODEX_REFRESH_TOKEN_URL_OVERRIDE: `${authority.issuer}/oauth/token`,
      CODEX_REVOKE_TOKEN_URL_OVERRIDE: `${authority.issuer}/oauth/revoke`,
    },
    [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }),
  };
};

/** The arguments with which this runtime starts another program of these. */
export const runtimeArguments = (program: string): ReadonlyArray<string> =>
  "Deno" in globalThis ? ["run", "-A", program] : [program];

/** A request for a model's answer. */
export const post = (value: object): RequestInit => ({
  method: "POST",
  headers: { "content-type": "application/json" },
  body: JSON.stringify(value),
});

export const question = { model: "gpt-5.2-codex", input: "two and two?" };
