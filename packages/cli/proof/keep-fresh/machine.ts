import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  codexClientId,
  startTestAuthority,
  type ChatgptTokens,
  type TestAuthority,
} from "@agent-auth/test-authority";
import { Agent, fetch } from "undici";
import { codexCache } from "@agent-auth/tools/codex";

const agentAuth = join(import.meta.dirname, "../../dist/agent-auth.cjs");

/** How long the authority takes to answer a refresh, about as long as over the internet. Milliseconds. */
const REFRESH_DELAY_MS = 300;
const CODEX_TIMEOUT_MS = 120_000;

export interface Ended {
  readonly exitCode: number | null;
  readonly output: string;
}

/** A CODEX_HOME, and an authority that ends a sign-in if its refresh token is used twice. */
export class Machine implements AsyncDisposable {
  readonly authority: TestAuthority;
  readonly home: string;
  readonly #codex: string;
  readonly #agent: Agent;

  private constructor(authority: TestAuthority, home: string, codex: string) {
    this.authority = authority;
    this.home = home;
    this.#codex = codex;
    this.#agent = new Agent({ connect: { ca: authority.certificate ?? "" } });
  }

  static async start(codex: string, accessTokenSeconds: number): Promise<Machine> {
    const authority = await startTestAuthority({
      tls: "self-signed",
      settings: { punishReuse: true, replyText: "four", accessTokenSeconds },
    });
    authority.behave("refresh", { delayMs: REFRESH_DELAY_MS });
    const home = mkdtempSync(join(codexCache, "home-"));
    mkdirSync(join(home, "tmp"));
    writeFileSync(join(home, "authority.pem"), authority.certificate ?? "");
    const config = [
      `chatgpt_base_url = "${authority.chatgptBaseUrl}"`,
      `openai_base_url = "${authority.chatgptBaseUrl}/codex"`,
    ];
    writeFileSync(join(home, "config.toml"), config.join("\n"));
    return new Machine(authority, home, codex);
  }

  /** Stores a new sign-in as a login does, with an access token that expires in so many seconds. */
  async signIn(expiresInSeconds: number): Promise<ChatgptTokens> {
    const tokens = await this.authority.mintChatgptTokens({ expiresInSeconds });
    const document = {
      auth_mode: "chatgpt",
      OPENAI_API_KEY: null,
      tokens: {
        id_token: tokens.idToken,
        access_token: tokens.accessToken,
        refresh_token: tokens.refreshToken,
        account_id: tokens.accountId,
        oauth_provenance: { issuer: this.authority.issuer, client_id: codexClientId },
      },
      last_refresh: new Date().toISOString(),
    };
    const written = join(this.home, "auth.json.new");
    writeFileSync(written, JSON.stringify(document), { mode: 0o600 });
    renameSync(written, join(this.home, "auth.json"));
    return tokens;
  }

  get storedTokens(): {
    readonly access_token: string;
    readonly refresh_token: string;
    readonly account_id: string;
  } {
    return JSON.parse(readFileSync(join(this.home, "auth.json"), "utf8")).tokens;
  }

  /** Whether the authority accepts the stored access token. It rejects all tokens of a sign-in that it has ended. */
  async isAlive(): Promise<boolean> {
    const { access_token, account_id } = this.storedTokens;
    const response = await fetch(`${this.authority.chatgptBaseUrl}/codex/models`, {
      dispatcher: this.#agent,
      headers: { authorization: `Bearer ${access_token}`, "chatgpt-account-id": account_id },
    });
    await response.arrayBuffer();
    return response.status === 200;
  }

  /** Counts the refresh requests from the `first` on, by client, and those that sent a token for the second time. */
  refreshesSince(first: number): {
    readonly keeper: number;
    readonly codex: number;
    readonly reuses: number;
  } {
    const requests = this.authority.requestsTo("refresh").slice(first);
    const codex = requests.filter(({ headers }) => headers["user-agent"]?.startsWith("codex_"));
    const tokens = requests.map(({ body }) => JSON.parse(body).refresh_token);
    return {
      keeper: requests.length - codex.length,
      codex: codex.length,
      reuses: requests.length - new Set(tokens).size,
    };
  }

  /** One question to the real Codex, which answers "four" after a request to the model. */
  askCodex(): Promise<Ended> {
    const args = ["exec", "--skip-git-repo-check", "--sandbox", "read-only", "two and two?"];
    return this.#run(this.#codex, args);
  }

  agentAuth(...args: ReadonlyArray<string>): Promise<Ended> {
    return this.#run(process.execPath, [agentAuth, ...args]);
  }

  /** Starts `agent-auth keep --wait`; the function that is returned stops it. */
  startKeeper(): () => Promise<Ended> {
    const { child, ended } = this.#start(process.execPath, [agentAuth, "keep", "--wait"]);
    return () => {
      child.kill("SIGTERM");
      return ended;
    };
  }

  #run(program: string, args: ReadonlyArray<string>): Promise<Ended> {
    const { child, ended } = this.#start(program, args);
    const timer = setTimeout(() => child.kill("SIGKILL"), CODEX_TIMEOUT_MS);
    return ended.finally(() => clearTimeout(timer));
  }

  #start(program: string, args: ReadonlyArray<string>) {
    const child = spawn(program, args, {
      cwd: this.home,
      stdio: ["ignore", "pipe", "pipe"],
      env: {
        PATH: process.env["PATH"],
        HOME: this.home,
        TMPDIR: join(this.home, "tmp"),
        CODEX_HOME: this.home,
        CODEX_CA_CERTIFICATE: join(this.home, "authority.pem"),
        CODEX_REFRESH_TOKEN_URL_OVERRIDE: `${this.authority.issuer}/oauth/token`,
        CODEX_AUTHAPI_BASE_URL: this.authority.accountsBaseUrl,
      },
    });
    let output = "";
    child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
    child.stderr.on("data", (chunk: Buffer) => (output += chunk.toString()));
    const ended = new Promise<Ended>((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (exitCode) => resolve({ exitCode, output }));
    });
    return { child, ended };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#agent.close();
    await this.authority.close();
    rmSync(this.home, { recursive: true, force: true });
  }
}
