import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestAuthority } from "@agent-auth/test-authority";
import { findCodex } from "@agent-auth/tools/codex";
import * as z from "zod/mini";
import {
  type AppServerClient,
  connectStdio,
  createAppServerClient,
} from "../../src/client/index.ts";

const codex = findCodex();

/** Why tests against the real app server cannot run here; `undefined` where they can. */
export const missingCodex = "missing" in codex ? codex.missing : undefined;

export const codexBinary = (): string => {
  if ("missing" in codex) throw new Error(codex.missing);
  return codex.path;
};

const ThreadStarted = z.object({ thread: z.object({ id: z.string() }) });
const TurnCompleted = z.object({
  turn: z.object({ status: z.string(), error: z.nullable(z.object({ message: z.string() })) }),
});

/** A running `codex app-server` in its own CODEX_HOME, whose backend is the test authority. */
export interface CodexServer extends AsyncDisposable {
  readonly client: AppServerClient;
  readonly home: string;
  /** Runs one turn. Returns its status, and the message of its error. */
  readonly turn: () => Promise<{ readonly status: string; readonly error: string | null }>;
}

interface CodexServerOptions {
  /** Written to `auth.json` before the server starts. */
  readonly authJson?: object;
  readonly variables?: Readonly<Record<string, string>>;
  /** Lines of `config.toml`: keys of the top level, then tables. */
  readonly config?: {
    readonly keys: ReadonlyArray<string>;
    readonly tables: ReadonlyArray<string>;
  };
}

export const startCodexServer = async (
  authority: TestAuthority,
  { authJson, config, variables }: CodexServerOptions = {},
): Promise<CodexServer> => {
  const home = await mkdtemp(join(tmpdir(), "codex-server-"));
  if (authJson !== undefined)
    await writeFile(join(home, "auth.json"), JSON.stringify(authJson), { mode: 0o600 });
  // Codex refuses a CODEX_HOME inside the folder for temporary files.
  const temporary = join(home, "tmp");
  mkdirSync(temporary);
  const certificate = join(home, "authority.pem");
  await writeFile(certificate, authority.certificate ?? "");
  await writeFile(
    join(home, "config.toml"),
    [
      `chatgpt_base_url = ${JSON.stringify(authority.chatgptBaseUrl)}`,
      `openai_base_url = ${JSON.stringify(`${authority.chatgptBaseUrl}/codex`)}`,
      'model = "gpt-5.2-codex"',
      ...(config?.keys ?? []),
      "[features]",
      "plugins = false",
      ...(config?.tables ?? []),
      "",
    ].join("\n"),
  );
  const child: ChildProcessWithoutNullStreams = spawn(codexBinary(), ["app-server"], {
    cwd: home,
    env: {
      PATH: process.env["PATH"] ?? "",
      HOME: home,
      TMPDIR: temporary,
      CODEX_HOME: home,
      CODEX_CA_CERTIFICATE: certificate,
      CODEX_REFRESH_TOKEN_URL_OVERRIDE: `${authority.url}/oauth/token`,
      ...variables,
    },
  });
  child.stderr.resume();
  const exited = new Promise((resolve) => child.once("close", resolve));
  const client = createAppServerClient(connectStdio(child));
  await client.initialize({
    clientInfo: { name: "agent-auth-test", version: "1.0.0" },
    capabilities: { experimentalApi: true },
  });

  const turn: CodexServer["turn"] = async () => {
    const completed = Promise.withResolvers<{ status: string; error: string | null }>();
    const stop = client.on("turn/completed", (params: unknown) => {
      const { turn } = TurnCompleted.parse(params);
      completed.resolve({ status: turn.status, error: turn.error?.message ?? null });
    });
    try {
      const { thread } = ThreadStarted.parse(await client.request("thread/start", { cwd: home }));
      await client.request("turn/start", {
        threadId: thread.id,
        input: [{ type: "text", text: "say pong", text_elements: [] }],
      });
      return await completed.promise;
    } finally {
      stop();
    }
  };
  return {
    client,
    home,
    turn,
    [Symbol.asyncDispose]: async () => {
      await client.close();
      await exited;
      await rm(home, { recursive: true, force: true });
    },
  };
};
