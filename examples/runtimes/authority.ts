// Runs in Node beside a program in any runtime: a test authority, and an HTTP server that calls its methods. It ends when
// its stdin does.
import { createServer } from "node:http";
import { text } from "node:stream/consumers";
import { startTestAuthority, type TestAuthority } from "@agent-auth/test-authority";

const authority = await startTestAuthority();

const factsOf = ({
  account,
  certificate,
  chatgptBaseUrl,
  issuer,
  openaiBaseUrl,
}: TestAuthority) => ({
  account,
  certificate,
  chatgptBaseUrl,
  issuer,
  openaiBaseUrl,
});

const methods: Readonly<Record<string, (...args: never) => unknown>> = {
  /** Starts another one, with https and an untrusted certificate. */
  startWithTls: async () => {
    const secure = await startTestAuthority({ tls: "self-signed" });
    return { ...factsOf(secure), apiKey: secure.addApiKey() };
  },
  behave: (...args: Parameters<TestAuthority["behave"]>) => void authority.behave(...args),
  count: authority.count,
  decideDevice: authority.decideDevice,
  decideSignIn: authority.decideSignIn,
  mintAgentIdentityJwt: authority.mintAgentIdentityJwt,
  mintChatgptTokens: authority.mintChatgptTokens,
};

const server = createServer((request, response) => {
  void (async () => {
    const { name, args }: { name: string; args: never } = JSON.parse(await text(request));
    const result = await methods[name]?.(...args);
    response.end(JSON.stringify(result ?? null));
  })();
});
server.listen(0, "127.0.0.1", () => {
  const address = server.address();
  const port = typeof address === "object" ? address?.port : undefined;
  console.log(JSON.stringify({ steering: `http://127.0.0.1:${port}/`, ...factsOf(authority) }));
});
process.stdin.resume().on("end", () => process.exit());
