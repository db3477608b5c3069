import type { ChatgptCredential, Credential } from "@agent-auth/login/credential";
import type { PromiseAuthManager } from "@agent-auth/login/promises";
import * as Redacted from "effect/Redacted";
import type { AppServerClient } from "../client/index.ts";
import { HostNotSignedIn } from "../errors/index.ts";
import { ChatgptAuthTokensRefreshParams } from "../schema/account.ts";

/** The part of an auth manager that lending needs. */
export type LendingManager = Pick<
  PromiseAuthManager,
  "current" | "recoverUnauthorized" | "subscribe"
>;

export interface LendSignInOptions {
  /** Called if new tokens could not be lent, with one line without secrets. Default: a line on stderr. */
  readonly onWarning?: (message: string) => void;
}

/** A sign-in that is lent to an app server. */
export interface LentSignIn extends AsyncDisposable {
  /** Stops sending tokens and answering requests for them. The server keeps the last access token. */
  readonly close: () => Promise<void>;
}

/**
 * Lends a ChatGPT sign-in to an app server, such as `codex app-server`. The server gets access tokens only, and the refresh
 * token stays with the manager, which may lend to any number of servers: all of them share its refreshes.
 *
 * - The current access token is lent at once, and each new one as soon as the manager has it. Make the manager with
 *   `keepFresh`, so that this happens before the old one expires.
 * - If the server's requests get a 401, it asks for another token. The manager then reloads or refreshes, once for all
 *   servers that ask about the same token.
 *
 * The client has to be initialized with `capabilities: { experimentalApi: true }`. Rejects with `HostNotSignedIn` if the
 * manager has no ChatGPT sign-in, and as `client.call` does.
 *
 * @example
 * ```ts
 * import type { AppServerClient } from "@agent-auth/app-server/client";
 * import { lendSignIn } from "@agent-auth/app-server/host";
 * import { createAuthManager } from "@agent-auth/login/promises";
 *
 * export const lendToAll = async (servers: ReadonlyArray<AppServerClient>) => {
 *   const manager = createAuthManager({
 *     environmentCredentials: false,
 *     followStore: true,
 *     keepFresh: true,
 *   });
 *   return Promise.all(servers.map((server) => lendSignIn(server, manager)));
 * };
 * ```
 */
export const lendSignIn = async (
  client: AppServerClient,
  manager: LendingManager,
  options: LendSignInOptions = {},
): Promise<LentSignIn> => {
  const warn = options.onWarning ?? ((line: string) => console.error(`agent-auth: ${line}`));
  let lent = requireChatgpt(await manager.current());
  /** Until this time, a request for new tokens may refer to the previous ones. */
  let mayBeOlderUntilMs = 0;
  let isClosed = false;
  let sending: Promise<void> = Promise.resolve();

  const send = async (credential: ChatgptCredential): Promise<void> => {
    lent = credential;
    await client.call("account/login/start", {
      type: "chatgptAuthTokens",
      ...tokensOf(credential),
    });
  };
  const sendNew = async (before: Promise<void>, credential: ChatgptCredential): Promise<void> => {
    await before;
    if (isClosed || isSameToken(credential, lent)) return;
    try {
      await send(credential);
      mayBeOlderUntilMs = Date.now() + OLD_REQUESTS_MS;
    } catch (error) {
      const reason = error instanceof Error ? error.message : "unknown error";
      warn(`a new access token could not be lent: ${reason}`);
    }
  };
  const stopAnswering = client.handle("account/chatgptAuthTokens/refresh", async (params) => {
    const asked = ChatgptAuthTokensRefreshParams.safeParse(params);
    const { previousAccountId } = asked.success ? asked.data : {};
    const isOlder = Date.now() < mayBeOlderUntilMs;
    mayBeOlderUntilMs = 0;
    const recovered = isOlder ? lent : await recover(manager, lent);
    const { accountId } = recovered.account;
    if (previousAccountId != null && accountId !== undefined && previousAccountId !== accountId)
      throw refusal("the host has signed in to another account");
    lent = recovered;
    const { chatgptPlanType = null, ...tokens } = tokensOf(recovered);
    return { ...tokens, chatgptPlanType };
  });
  const stopListening = manager.subscribe((credential) => {
    if (isClosed || credential?._tag !== "Chatgpt" || isSameToken(credential, lent)) return;
    sending = sendNew(sending, credential);
  });
  const close = async (): Promise<void> => {
    isClosed = true;
    stopListening();
    stopAnswering();
    await sending;
  };
  try {
    await send(lent);
  } catch (error) {
    await close();
    throw error;
  }
  return { close, [Symbol.asyncDispose]: close };
};

/** Milliseconds in which a model request that was sent with the previous tokens may still get a 401 and ask for new ones. */
const OLD_REQUESTS_MS = 5_000;

const requireChatgpt = (credential: Credential | null): ChatgptCredential => {
  if (credential?._tag !== "Chatgpt") throw new HostNotSignedIn({ kind: credential?._tag ?? null });
  return credential;
};

/** Returns an access token other than the rejected one. Throws the error with which the server is answered. */
const recover = async (
  manager: LendingManager,
  rejected: ChatgptCredential,
): Promise<ChatgptCredential> => {
  const recovered = await manager.recoverUnauthorized(rejected).catch((error: unknown) => {
    throw refusal(error instanceof Error ? error.message : "the sign-in cannot be refreshed");
  });
  if (recovered?._tag !== "Chatgpt") throw refusal("the host has signed out");
  return recovered;
};

const refusal = (message: string) => ({ code: -32000, message });

const tokensOf = ({ accessToken, account }: ChatgptCredential) => ({
  accessToken: Redacted.value(accessToken),
  chatgptAccountId: account.accountId ?? "",
  ...(account.planType === undefined ? {} : { chatgptPlanType: account.planType }),
});

const isSameToken = (one: ChatgptCredential, other: ChatgptCredential): boolean =>
  Redacted.value(one.accessToken) === Redacted.value(other.accessToken);
