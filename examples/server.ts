import { createServer } from "node:http";
import { createAuthManager, isLoginError, revealSecret } from "@agent-auth/login/promises";
import type { Credential } from "@agent-auth/login/credential";

// One manager for all clients. The server acts for others, so credentials in its own environment do not count.
const manager = createAuthManager({ environmentCredentials: false });
const unsubscribe = manager.subscribe((credential) => {
  console.error(credential === null ? "signed out" : `now ${credential._tag}`);
});

const authorization = (credential: Credential): string => {
  switch (credential._tag) {
    case "AgentIdentity":
      return credential.signer.authorizationAt(Date.now());
    case "ApiKey":
      return `Bearer ${revealSecret(credential.apiKey)}`;
    case "Chatgpt":
    case "ExternalChatgpt":
    case "WorkloadIdentity":
      return `Bearer ${revealSecret(credential.accessToken)}`;
    case "Bearer":
    case "PersonalAccessToken":
      return `Bearer ${revealSecret(credential.token)}`;
  }
};

const ask = (credential: Credential, signal: AbortSignal) => {
  const { accountId } = credential.account;
  return fetch(`${process.env["BACKEND"]}/models`, {
    headers: {
      authorization: authorization(credential),
      ...(accountId === undefined ? {} : { "ChatGPT-Account-ID": accountId }),
    },
    signal,
  });
};

const models = async (signal: AbortSignal): Promise<{ status: number; text: string }> => {
  const credential = await manager.current({ signal });
  if (credential === null) return { status: 401, text: "sign in first" };
  const first = await ask(credential, signal);
  if (first.status !== 401) return { status: first.status, text: await first.text() };
  const recovered = await manager.recoverUnauthorized(credential, { signal });
  if (recovered === null) return { status: 401, text: "the sign-in is no longer accepted" };
  const retried = await ask(recovered, signal);
  return { status: retried.status, text: await retried.text() };
};

const server = createServer((request, response) => {
  const gone = new AbortController();
  request.on("close", () => gone.abort());
  models(gone.signal).then(
    ({ status, text }) => response.writeHead(status).end(text),
    (error: unknown) => {
      if (gone.signal.aborted) return;
      // If the credential cannot be loaded, nothing is sent, and the client gets the reason.
      const text = isLoginError(error) ? `${error.message}. ${error.hint}` : "internal error";
      response.writeHead(isLoginError(error) ? 503 : 500).end(text);
    },
  );
});
server.listen(0, "127.0.0.1", () => console.log(JSON.stringify(server.address())));

process.once("SIGTERM", () => {
  unsubscribe();
  server.close(() => void manager.close()); // waits for a running refresh
});
