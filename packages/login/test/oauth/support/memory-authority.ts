import { HttpConnectionFailed } from "@agent-auth/agent-identity/errors";
import { HttpTransport } from "@agent-auth/agent-identity/http";
import type { Decision, TestAuthority } from "@agent-auth/test-authority";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import * as Redacted from "effect/Redacted";

/** The secrets that the authority issues; none of them may appear in a page, a URL or an error. */
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

const json = (body: unknown) => (typeof body === "string" ? body : JSON.stringify(body));

export const tokens = (accountId?: string | null): Answer => ({
  status: 200,
  body: {
    id_token: idToken(accountId),
    access_token: CANARIES.access,
    refresh_token: CANARIES.refresh,
  },
});

/**
 * An authority without a socket: it answers what the test says (one answer per request, the last one stays), remembers
 * what it was asked, and its flows can be moved by a TestClock. `null` is a network that is away, `never` one that hangs.
 */
export const memoryAuthority = () => {
  const script = makeScript();
  const layer = Layer.succeed(HttpTransport, {
    request: ({ url, headers, body }) =>
      Effect.suspend(() => {
        const answer = script.respond({
          path: new URL(url).pathname,
          contentType: plain(headers?.["content-type"]),
          body: plain(body) ?? "",
        });
        if (answer === "never") return Effect.never;
        if (answer === null)
          return new HttpConnectionFailed({ method: "POST", url, reason: "ENETUNREACH" });
        const { status } = answer;
        return Effect.succeed({ status, statusText: "", headers: {}, body: json(answer.body) });
      }),
  });
  // No server listens there, and no request is sent.
  return { issuer: "http://127.0.0.1:9", ...script, layer };
};

const makeScript = () => {
  const received: Array<Received> = [];
  const answers: Record<string, Array<Answer | "never" | null>> = {
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
  const respond = (request: Received): Answer | "never" | null => {
    received.push(request);
    const queue = answers[nameOf(request)] ?? [];
    return (queue.length > 1 ? queue.shift() : queue[0]) ?? null;
  };
  return { received, answers, respond };
};

const plain = (value: string | Redacted.Redacted | undefined): string | undefined =>
  Redacted.isRedacted(value) ? Redacted.value(value) : value;

/** A browser that follows redirects one at a time. */
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

/** A person's browser: opens the link that it is given, and decides on the sign-in page that the link leads to. */
export const decideInBrowser = (
  authority: Pick<TestAuthority, "decideSignIn">,
  link: string,
  decision?: Decision,
) =>
  Effect.flatMap(visit(link), ({ location }) =>
    visit(authority.decideSignIn(location ?? "", decision)),
  );
