import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { HttpConnectionFailed } from "@agent-auth/agent-identity/errors";
import { HttpTransport } from "@agent-auth/agent-identity/http-transport";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import * as Redacted from "effect/Redacted";

/** Planted wherever an authority hands out a secret; none of them may turn up in a page, a URL or an error. */
export const CANARIES = {
  access: "canary-access-token",
  refresh: "canary-refresh-token",
  apiKey: "sk-canary-api-key",
  code: "canary-authorization-code",
  signature: "canary-signature",
} as const;

const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");

export const idToken = (accountId: string | null = "ws_allowed"): string => {
  const auth = accountId === null ? {} : { chatgpt_account_id: accountId };
  const claims = { email: "ada@example.com", "https://api.openai.com/auth": auth };
  return `${part({ alg: "RS256" })}.${part(claims)}.${CANARIES.signature}`;
};

export interface Answer {
  readonly status: number;
  readonly body: unknown;
}

export interface Received {
  readonly path: string;
  readonly contentType: string | undefined;
  readonly body: string;
}

/** An authority that answers what the test says, and remembers what it was asked. */
export interface FakeAuthority extends AsyncDisposable {
  readonly issuer: string;
  readonly received: Array<Received>;
  /** One answer per request to a path; the last one stays. */
  readonly answers: Record<string, Array<Answer>>;
}

const json = (body: unknown) => (typeof body === "string" ? body : JSON.stringify(body));

export const tokens = (accountId?: string | null): Answer => ({
  status: 200,
  body: {
    id_token: idToken(accountId),
    access_token: CANARIES.access,
    refresh_token: CANARIES.refresh,
  },
});

/** The same authority without a socket: for flows whose time a TestClock moves. */
export const memoryAuthority = () => {
  const script = makeScript();
  const layer = Layer.succeed(HttpTransport, {
    request: ({ url, headers, body }) =>
      Effect.sync(() => {
        const answer = script.respond({
          path: new URL(url).pathname,
          contentType: plain(headers?.["content-type"]),
          body: plain(body) ?? "",
        });
        return { status: answer.status, statusText: "", headers: {}, body: json(answer.body) };
      }),
  });
  return { issuer: "http://127.0.0.1:9", ...script, layer };
};

const makeScript = () => {
  const received: Array<Received> = [];
  const answers: Record<string, Array<Answer>> = {
    code: [tokens()],
    apiKey: [{ status: 200, body: { access_token: CANARIES.apiKey } }],
    usercode: [
      { status: 200, body: { device_auth_id: "dev_1", user_code: "ABCD-1234", interval: "5" } },
    ],
    poll: [
      {
        status: 200,
        body: { authorization_code: CANARIES.code, code_challenge: "x", code_verifier: "theirs" },
      },
    ],
  };
  const nameOf = ({ path, body }: Received): string => {
    if (path === "/api/accounts/deviceauth/usercode") return "usercode";
    if (path === "/api/accounts/deviceauth/token") return "poll";
    return body.includes("token-exchange") ? "apiKey" : "code";
  };
  const respond = (request: Received): Answer => {
    received.push(request);
    const queue = answers[nameOf(request)] ?? [];
    const answer = queue.length > 1 ? queue.shift() : queue[0];
    return answer ?? { status: 500, body: "" };
  };
  return { received, answers, respond };
};

export const startFakeAuthority = async (): Promise<FakeAuthority> => {
  const { received, answers, respond } = makeScript();
  const serve = async (request: IncomingMessage, response: ServerResponse) => {
    const contentType = request.headers["content-type"];
    const answer = respond({ path: request.url ?? "", contentType, body: await text(request) });
    response.writeHead(answer.status, { "content-type": "application/json" });
    response.end(json(answer.body));
  };
  const server = createServer((request, response) => void serve(request, response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address: AddressInfo | string | null = server.address();
  const port = typeof address === "object" ? address?.port : undefined;
  return {
    issuer: `http://127.0.0.1:${port}`,
    received,
    answers,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
};

export const authority = Effect.acquireRelease(Effect.promise(startFakeAuthority), (started) =>
  Effect.promise(() => started[Symbol.asyncDispose]()),
);

const plain = (value: string | Redacted.Redacted | undefined): string | undefined =>
  Redacted.isRedacted(value) ? Redacted.value(value) : value;

/** A transport over the global fetch: these tests are about the flows, not about undici. */
export const transportLayer = Layer.succeed(HttpTransport, {
  request: (request) =>
    Effect.tryPromise({
      try: async (signal) => {
        const headers = new Headers();
        for (const [name, value] of Object.entries(request.headers ?? {}))
          headers.set(name, plain(value) ?? "");
        const body = plain(request.body) ?? null;
        const answer = await fetch(request.url, { method: request.method, headers, body, signal });
        return {
          status: answer.status,
          statusText: answer.statusText,
          headers: Object.fromEntries(answer.headers),
          body: await answer.text(),
        };
      },
      catch: (cause) => {
        const reason =
          cause instanceof Error && cause.cause instanceof Error ? cause.cause.message : "?";
        return new HttpConnectionFailed({ method: request.method, url: request.url, reason });
      },
    }),
});

/** A browser that goes where it is sent, one step at a time. */
export const visit = (url: string, headers: Record<string, string> = {}) =>
  Effect.promise(async () => {
    const answer = await fetch(url, { redirect: "manual", headers });
    return {
      status: answer.status,
      location: answer.headers.get("location"),
      headers: answer.headers,
      html: await answer.text(),
    };
  });
