import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { loadConfig } from "@agent-auth/login/config";
import { parseEnvironment, type Variables } from "@agent-auth/login/config/environment";
import { createAuthManager, type PromiseAuthManager } from "@agent-auth/login/promises";
import { createModelProvider } from "@agent-auth/model-provider/promises";
import { startTestAuthority, type TestAuthority } from "@agent-auth/test-authority";
import type * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import {
  type AccountConnection,
  handleAccountMethods,
  type RpcAnswer,
} from "../../src/methods/index.ts";
import { type AccountServicePromises, createAccountService } from "../../src/promises/index.ts";
import { type LogEntry, notificationsBeforeTheirAnswer } from "./order.ts";
import {
  type Bindings,
  fill,
  isMessage,
  loadTranscript,
  type Message,
  normalise,
  type Transcript,
  type TranscriptEvent,
} from "./transcript.ts";

/** What a flow has to act on. */
export interface Stage {
  readonly authority: TestAuthority;
  readonly home: string;
  readonly bindings: Bindings;
  readonly writeAuthJson: (document: object) => Promise<void>;
  readonly removeAuthJson: () => Promise<void>;
  readonly readAuthJson: () => Promise<unknown>;
  /** Result of an answered request, by connection and id. */
  readonly resultOf: (key: string) => unknown;
}

/** What the driver of a recorded flow did beside sending messages. */
export interface FlowSetup {
  readonly configToml?: string | ((stage: Stage) => string);
  /** What the driver did when a client was told something for the first time. */
  readonly notified?: Readonly<Record<string, (stage: Stage, params: unknown) => Promise<unknown>>>;
  /** Beside `chatgpt_base_url`, as after `-c`. */
  readonly configOverrides?: (stage: Stage) => ReadonlyArray<string>;
  readonly env?: (stage: Stage, server: number) => Variables | Promise<Variables>;
  readonly before?: (stage: Stage) => unknown;
  /**
   * By connection and id, `A2`, of the request that was answered just before; before the second server, `start:1`; after a
   * connection closed, `closed:A`.
   */
  readonly after?: Readonly<Record<string, (stage: Stage) => unknown>>;
  /** Looks at what is not in the messages, before the last server ends. */
  readonly check?: (stage: Stage) => unknown;
  /** The host of the recording's authority. Default `https://auth.openai.com`. */
  readonly issuer?: string;
  /** The value of a `<jwt n>` that the client sends. Default: an access token of the authority. */
  readonly jwt?: (stage: Stage, name: string) => Promise<string>;
  /** Deviations: changes the recorded events into those that are expected here. */
  readonly expect?: (events: ReadonlyArray<TranscriptEvent>) => ReadonlyArray<TranscriptEvent>;
  /** Context of the service, for example with a faster clock. */
  readonly context?: Context.Context<never>;
}

/** What was expected and what came, for one connection. */
export interface Comparison {
  readonly conn: string;
  readonly expected: Said;
  readonly actual: Said;
}

interface Said {
  readonly answers: ReadonlyArray<unknown>;
  /** Notifications and requests, in order. */
  readonly sent: ReadonlyArray<unknown>;
  /** Notifications that came before the answer to the request that caused them. */
  readonly outOfOrder: ReadonlyArray<string>;
}

/** Notifications that belong to this surface. The others need threads or turns; that of remote control is always the same. */
const ourNotifications = new Set([
  "account/login/completed",
  "account/updated",
  "account/gatewayOAuth/changed",
  "account/chatgptAuthTokens/refresh",
]);
const byHarness = new Set(["thread/start", "turn/start"]);

export const isCompared = (message: Message): boolean =>
  message.method === undefined || ourNotifications.has(message.method);

class Client {
  readonly answers = new Map<string, RpcAnswer>();
  /** Everything in the order in which the client sent or received it. */
  readonly log: Array<LogEntry> = [];
  readonly sent: Array<Message> = [];
  readonly waitingForClient = new Map<
    number,
    { resolve: (value: unknown) => void; reject: (error: unknown) => void }
  >();
  readonly pending = new Map<string, Promise<unknown>>();
  account: AccountConnection | undefined;
  isOpen = true;
}

export const replay = async (
  flow: string,
  setup: FlowSetup,
): Promise<ReadonlyArray<Comparison>> => {
  const transcript = loadTranscript(flow);
  const home = await mkdtemp(join(tmpdir(), "replay-"));
  const authority = await startTestAuthority({
    account: {
      accountId: "acct-1",
      userId: "user-1",
      email: "user@example.test",
      planType: "pro",
      workspaceName: "Lab",
    },
    settings: { deviceIntervalSeconds: 0.01, consent: "approve" },
  });
  authority.addApiKey({ key: "sk-proj-1234567890ABCDE" });
  try {
    return await new Replay(transcript, setup, authority, home).run();
  } finally {
    await authority.close();
    await rm(home, { recursive: true, force: true });
  }
};

class Replay {
  readonly #events: ReadonlyArray<TranscriptEvent>;
  readonly #clients = new Map<string, Client>();
  readonly #finished: Array<Comparison> = [];
  readonly #expected = new Map<string, { answers: Array<Message>; sent: Array<Message> }>();
  readonly #stage: Stage;
  #manager: PromiseAuthManager | undefined;
  #service: AccountServicePromises | undefined;
  #turn: ((client: Client) => Promise<void>) | undefined;
  #server = -1;
  #requestIds = 0;
  readonly #notified = new Set<string>();

  readonly setup: FlowSetup;
  readonly configToml: FlowSetup["configToml"];

  constructor(transcript: Transcript, setup: FlowSetup, authority: TestAuthority, home: string) {
    this.setup = setup;
    this.#events = (setup.expect ?? ((events) => events))(transcript.events);
    const authJson = join(home, "auth.json");
    this.#stage = {
      authority,
      home,
      bindings: new Map(),
      writeAuthJson: (document) => writeFile(authJson, JSON.stringify(document), { mode: 0o600 }),
      removeAuthJson: () => rm(authJson),
      readAuthJson: async () =>
        JSON.parse(await readFile(authJson, "utf8").catch(() => "null")) as unknown,
      resultOf: (key) => {
        const answer = this.#client(key.slice(0, 1)).answers.get(key.slice(1));
        return answer !== undefined && "result" in answer ? answer.result : undefined;
      },
    };
    this.configToml = setup.configToml ?? transcript.configToml;
  }

  /** The folder of an administrator's files, `/etc/codex` in the recordings. */
  get #systemFolder(): string {
    return join(this.#stage.home, "system");
  }

  async run(): Promise<ReadonlyArray<Comparison>> {
    await this.setup.before?.(this.#stage);
    for (const event of this.#events) await this.#step(event);
    await this.#settle();
    await this.setup.check?.(this.#stage);
    await this.#closeServer();
    return this.#finished;
  }

  async #step(event: TranscriptEvent): Promise<void> {
    const { conn, dir, msg } = event;
    if (event.note === "requirements.toml") {
      await mkdir(this.#systemFolder, { recursive: true });
      await writeFile(join(this.#systemFolder, "requirements.toml"), String(event.value));
    }
    if (event.note === "exit" || event.note === "server exit") return this.#closeServer();
    if (conn === undefined) return;
    if (event.closed === true) {
      await this.#settle();
      const client = this.#client(conn);
      client.isOpen = false;
      client.account?.close();
      await nextTurn();
      await this.setup.after?.[`closed:${conn}`]?.(this.#stage);
      return;
    }
    if (!isMessage(msg)) return; // a transport drops it
    const message = msg;
    if (message.method === "turn/completed") {
      await this.#settle();
      await this.#client(conn).pending.get("turn");
    }
    if (dir === "<") return this.#expect(conn, message);
    await this.#settle();
    await this.#send(conn, message);
  }

  /** Waits for everything that the recording has up to here. */
  async #settle(): Promise<void> {
    for (const [conn, { answers, sent }] of this.#expected) {
      const client = this.#client(conn);
      for (const answer of answers) {
        const key = String(answer.id);
        await client.pending.get(key);
        const actual = client.answers.get(key);
        if (actual !== undefined) this.#normalise(answer, { ...actual, id: answer.id });
      }
      const until = Date.now() + 3_000;
      while (client.sent.length < sent.length && Date.now() < until) await nextTurn();
      sent.forEach((message, index) => this.#normalise(message, client.sent[index]));
    }
    await nextTurn();
  }

  #expect(conn: string, message: Message): void {
    if (!isCompared(message)) return;
    const expected = this.#expectedOf(conn);
    const timeless: Message = JSON.parse(withoutChance(JSON.stringify(message)));
    const { emittedAtMs: _, ...plain } = timeless;
    (message.method === undefined ? expected.answers : expected.sent).push(plain);
  }

  async #send(conn: string, message: Message): Promise<void> {
    const client = this.#client(conn);
    const { id, method, params } = message;
    if (method === undefined) return this.#answerServer(client, message);
    if (id === undefined) {
      (await this.#account(client)).notification(method, params);
      return;
    }
    if (typeof id !== "string" && !Number.isInteger(id)) return; // a transport drops it
    const key = String(id);
    const filled = await this.#fill(params);
    const account = await this.#account(client);
    client.log.push({ _tag: "Asked", method, params: filled });
    const answer = byHarness.has(method)
      ? this.#runThreadMethod(client, method)
      : account.request(method, filled);
    const finish = async (): Promise<void> => {
      const answered = await answer;
      client.answers.set(key, answered);
      client.log.push({ _tag: "Answered", method, params: filled, answer: answered });
      await this.setup.after?.[`${conn}${key}`]?.(this.#stage);
    };
    const done = finish();
    client.pending.set(key, done);
    done.catch(() => {});
  }

  async #answerServer(client: Client, { error, id, result }: Message): Promise<void> {
    const waiting = client.waitingForClient.get(Number(id));
    client.waitingForClient.delete(Number(id));
    const filled = await this.#fill(result);
    if (error !== undefined) waiting?.reject(error);
    else waiting?.resolve(filled);
  }

  async #fill(params: unknown): Promise<unknown> {
    const { bindings } = this.#stage;
    for (const name of JSON.stringify(params ?? null).match(/<jwt \d+>/g) ?? []) {
      if (bindings.has(name)) continue;
      const made = this.setup.jwt?.(this.#stage, name);
      bindings.set(name, made === undefined ? await this.#accessToken() : await made);
    }
    return fill(params, (name) => bindings.get(name) ?? name);
  }

  async #accessToken(): Promise<string> {
    const { authority } = this.#stage;
    const claims = { email: authority.account.email };
    return (await authority.mintChatgptTokens({ accessTokenClaims: claims })).accessToken;
  }

  async #account(client: Client): Promise<AccountConnection> {
    this.#service ??= await this.#openServer();
    return (client.account ??= handleAccountMethods(this.#service, {
      notify: (method, params) => {
        if (!client.isOpen || method === "remoteControl/status/changed") return;
        client.sent.push({ method, params });
        client.log.push({ _tag: "Notified", method, params });
        const act = this.#notified.has(method) ? undefined : this.setup.notified?.[method];
        this.#notified.add(method);
        act?.(this.#stage, params).catch(() => {});
      },
      request: (method, params) => {
        const id = this.#requestIds++;
        client.sent.push({ method, id, params });
        return new Promise((resolve, reject) => {
          client.waitingForClient.set(id, { resolve, reject });
        });
      },
    }));
  }

  async #openServer(): Promise<AccountServicePromises> {
    this.#server += 1;
    const { authority, home } = this.#stage;
    await this.setup.after?.[`start:${this.#server}`]?.(this.#stage);
    const toml = this.configToml;
    if (toml !== undefined)
      await writeFile(
        join(home, "config.toml"),
        typeof toml === "string" ? toml : toml(this.#stage),
      );
    const environment = parseEnvironment(
      {
        CODEX_HOME: home,
        CODEX_REFRESH_TOKEN_URL_OVERRIDE: `${authority.url}/oauth/token`,
        CODEX_AUTHAPI_BASE_URL: authority.accountsBaseUrl,
        CODEX_AGENT_IDENTITY_AUTHAPI_BASE_URL: authority.accountsBaseUrl,
        ...(await this.setup.env?.(this.#stage, this.#server)),
      },
      { homeDir: home, systemFolder: this.#systemFolder },
    );
    const config = await Effect.runPromise(
      loadConfig({
        ...environment,
        overrides: [
          `chatgpt_base_url=${authority.chatgptBaseUrl}`,
          ...(this.setup.configOverrides?.(this.#stage) ?? []),
        ],
      }),
    );
    const { context } = this.setup;
    const options = {
      environment,
      config,
      onWarning: () => {},
      ...(context === undefined ? {} : { context }),
    };
    const manager = createAuthManager({
      ...options,
      environmentCredentials: false,
      followStore: true,
      keepFresh: false,
    });
    this.#manager = manager;
    this.#turn = async (client) => {
      const isKey = (await manager.current().catch(() => null))?._tag === "ApiKey";
      await using provider = await createModelProvider({
        manager,
        environment,
        config: isKey ? { ...config, openaiBaseUrl: authority.openaiBaseUrl } : config,
        onWarning: () => {},
      });
      // As Codex does: five reconnects, each of which recovers from a 401 once.
      for (let attempt = 0; attempt < 6 && client.isOpen; attempt++) {
        const response = await provider
          .fetch("/responses", { method: "POST", body: "{}" })
          .catch(() => undefined);
        if (response?.ok === true) return;
      }
    };
    return createAccountService(manager, {
      ...options,
      version: "0.171.0",
      login: {
        ...(this.setup.issuer === undefined ? { issuer: authority.issuer } : {}),
        ports: [0],
        portRetryMs: 0,
      },
    });
  }

  /** The part of a server that has threads: a turn sends one model request with the account's credential. */
  #runThreadMethod(client: Client, method: string): RpcAnswer {
    if (method === "turn/start") {
      const turn = this.#turn?.(client);
      client.pending.set(`turn`, turn ?? Promise.resolve());
    }
    return { result: method === "turn/start" ? { turn: "…" } : { thread: "…" } };
  }

  async #closeServer(): Promise<void> {
    await this.#settle();
    if (this.#service === undefined) return;
    for (const [conn, client] of this.#clients) {
      const expected = this.#expectedOf(conn);
      const actual = {
        answers: expected.answers.map((answer) =>
          this.#normalise(answer, { ...client.answers.get(String(answer.id)), id: answer.id }),
        ),
        sent: client.sent.map((message, index) => this.#normalise(expected.sent[index], message)),
      };
      const outOfOrder = notificationsBeforeTheirAnswer(client.log);
      this.#finished.push({
        conn: `${conn}, server ${this.#server + 1}`,
        expected: { ...expected, outOfOrder: [] },
        actual: { ...actual, outOfOrder },
      });
    }
    await this.#service.close();
    await this.#manager?.close();
    this.#service = undefined;
    this.#clients.clear();
    this.#expected.clear();
    this.#requestIds = 0;
  }

  /** The hosts, ports and paths of the recording, and none of what is listed as an addition to Codex. */
  #normalise(expected: unknown, actual: unknown): unknown {
    const { authority, home, bindings } = this.#stage;
    const text = withoutChance(JSON.stringify(actual ?? null))
      .replaceAll(`"backendOrigin":"${authority.url}"`, '"backendOrigin":"https://chatgpt.com"')
      .replaceAll(`${authority.url}/backend-api`, "https://chatgpt.com/backend-api")
      .replaceAll(authority.url, this.setup.issuer ?? "https://auth.openai.com")
      .replaceAll(home, "$CODEX_HOME")
      .replaceAll("auth.openai.com/gateway/", "auth.openai.com/gw/");
    return normalise(expected, withoutAdditions(JSON.parse(text)), bindings);
  }

  #client(conn: string): Client {
    const known = this.#clients.get(conn);
    if (known !== undefined) return known;
    const client = new Client();
    this.#clients.set(conn, client);
    return client;
  }

  #expectedOf(conn: string) {
    const known = this.#expected.get(conn);
    if (known !== undefined) return known;
    const said: { answers: Array<Message>; sent: Array<Message> } = { answers: [], sent: [] };
    this.#expected.set(conn, said);
    return said;
  }
}

/** A message without what differs between two runs: the time of the last login or refresh, user codes, ports. */
const withoutChance = (text: string): string =>
  text
    .replaceAll(/"lastUsedAt":\d+/g, '"lastUsedAt":0')
    .replaceAll(/"userCode":"[\w-]+"/g, '"userCode":"ABCD-EFGHI"')
    .replaceAll(/127\.0\.0\.1%3A\d+%2F/g, "127.0.0.1%3A1455%2F");

/** Members that this server adds: `data` of errors, and why there is no account. */
const withoutAdditions = (message: unknown): unknown => {
  if (typeof message !== "object" || message === null) return message;
  const { error, result, ...rest } = message as Message;
  return {
    ...rest,
    ...(error === undefined ? {} : { error: { ...error, ...withoutOurData(error.data) } }),
    ...(result === undefined ? {} : { result: withoutReason(result) }),
  };
};

/** `data` of Codex, which sends none with most errors. */
const withoutOurData = (data: unknown): { readonly data: unknown } => {
  if (typeof data !== "object" || data === null) return { data };
  const { code: _, hint: __, remedy: ___, ...rest } = { code: "", hint: "", remedy: "", ...data };
  return { data: Object.keys(rest).length === 0 ? undefined : rest };
};

const withoutReason = (result: unknown): unknown => {
  if (typeof result !== "object" || result === null || !("accountUnavailable" in result))
    return result;
  const { accountUnavailable: _, ...rest } = result;
  return rest;
};
