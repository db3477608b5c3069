import { createInterface } from "node:readline";
import { gatewayClientId } from "@agent-auth/test-authority";
import { type Desktop, missingKeyring, startDesktop } from "@agent-auth/tools/desktop";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { ended } from "./support/cli.ts";
import {
  codexExec,
  missingCodex,
  openCodexHome,
  ours,
  theirs,
  timeout,
} from "./support/real-codex.ts";

const missing = missingCodex ?? missingKeyring;
if (missing !== undefined) console.warn(`skipped: ${missing}`);

let desktop: Desktop | undefined;
beforeAll(async () => {
  if (missing === undefined) desktop = await startDesktop();
});
afterAll(() => desktop?.[Symbol.asyncDispose]());

const provider = `
model_provider = "gw"
[model_providers.gw]
name = "Gateway"
base_url = "AUTHORITY/gateway/v1"
wire_api = "responses"
request_max_retries = 0
stream_max_retries = 0
`;

const signInTo = (store: string) => `${provider}
[model_providers.gw.gateway_oauth]
authorization_url = "AUTHORITY/gateway/authorize"
device_authorization_url = "AUTHORITY/gateway/device"
token_url = "AUTHORITY/gateway/token"
client_id = "${gatewayClientId}"
scopes = ["models"]
credentials_store = "${store}"
`;

/** The gateway is on loopback, where Codex uses a proxy as well. */
const open = (config: string) => openCodexHome(config, { NO_PROXY: "127.0.0.1", ...desktop?.env });

type Setup = Awaited<ReturnType<typeof open>>;

/** Signs in with a device code in Codex's app server. `begun` is its answer, `ended` the outcome. */
const codexSignIn = ({ start }: Setup) => {
  const server = start([...theirs, "app-server"]);
  onTestFinished(() => void server.kill());
  const messages: Array<Record<string, unknown>> = [];
  const send = (message: object) => server.stdin.write(`${JSON.stringify(message)}\n`);
  const clientInfo = { name: "test", title: null, version: "1" };
  const capabilities = { experimentalApi: true, explicitGatewayOauth: true };
  send({ id: 1, method: "initialize", params: { clientInfo, capabilities } });
  send({ method: "initialized" });
  send({ id: 2, method: "account/gatewayOAuth/login", params: { deviceAuth: true } });
  const lines = createInterface({ input: server.stdout })[Symbol.asyncIterator]();
  const until = async (isIt: (text: string) => boolean): Promise<string> => {
    for (;;) {
      const { done, value } = await lines.next();
      if (done === true) throw new Error(`Codex ended: ${JSON.stringify(messages)}`);
      if (isIt(value)) return value;
    }
  };
  return {
    begun: until((text) => text.includes('"id":2')),
    hasSucceeded: () => until((text) => text.includes('"succeeded"')),
  };
};

/** Signs in with a device code. */
const ourSignIn = async ({ authority, start }: Setup) => {
  const child = start([...ours, "login", "--provider", "gw", "--device-auth"]);
  const done = ended(child);
  await authority.waitForRequest("gatewayToken");
  authority.approveAllGatewayDevices();
  const { exitCode, stderr } = await done;
  expect([exitCode, stderr]).toEqual([0, expect.stringContaining("Signed in")]);
};

const tokensOf = ({ authority }: Setup, path: string) =>
  authority.requests
    .filter((request) => request.path === path)
    .map(({ headers }) => headers.authorization);

describe.skipIf(missing !== undefined).each(["file", "keyring"])(
  "agent-auth and the real Codex, with the %s store of a gateway",
  { timeout },
  (store) => {
    it("Codex sends the token that agent-auth stored", async () => {
      const setup = await open(signInTo(store));
      await ourSignIn(setup);
      await setup.run([...ours, "api", "/models"]);
      await setup.run(codexExec);
      const [token] = tokensOf(setup, "/gateway/v1/models");
      expect(token).toMatch(/^Bearer gw-access-/);
      expect(tokensOf(setup, "/gateway/v1/responses")).toContain(token);
    });

    it("agent-auth sends the token that Codex stored, and each refuses a second sign-in", async () => {
      const setup = await open(signInTo(store));
      const inProgress = "Another sign-in for this credential is in progress.";
      const child = setup.start([...ours, "login", "--provider", "gw", "--device-auth"]);
      const waiting = ended(child);
      await setup.authority.waitForRequest("gatewayDevice");
      expect(await codexSignIn(setup).begun).toContain(inProgress);
      child.kill();
      await waiting;

      const codex = codexSignIn(setup);
      expect(await codex.begun).toContain("verificationUrl");
      const second = await setup.run([...ours, "login", "--provider", "gw", "--device-auth"]);
      expect([second.exitCode, second.stderr]).toEqual([1, expect.stringContaining(inProgress)]);
      setup.authority.approveAllGatewayDevices();
      await codex.hasSucceeded();
      const models = await setup.run([...ours, "api", "/models"]);
      expect([models.exitCode, models.stderr]).toEqual([0, ""]);
      expect(tokensOf(setup, "/gateway/v1/models")).toEqual([
        expect.stringMatching(/^Bearer gw-access-/),
      ]);
    });
  },
);

const exported = (script: string) => `${provider}
[model_providers.gw.gateway_oauth.credential_export]
command = "sh"
args = ["-c", ${JSON.stringify(script)}]
`;

describe.skipIf(missing !== undefined)("agent-auth and the real Codex", { timeout }, () => {
  it.each<[string, string, string | undefined]>([
    ["one token", "echo gw-token-1", "Bearer gw-token-1"],
    ["white space around it", "printf '\\n gw-token-1 \\n\\n'", "Bearer gw-token-1"],
    ["JSON", 'echo \'{"access_token": "x"}\'', undefined],
    ["compact JSON", 'echo \'{"access_token":"x"}\'', 'Bearer {"access_token":"x"}'],
    ["two lines", "printf 'a\\nb\\n'", undefined],
    ["nothing", "true", undefined],
  ])("treat a credential_export that prints %s alike", async (_, script, sent) => {
    const setup = await open(exported(script));
    await setup.run([...ours, "api", "/models"]);
    await setup.run(codexExec);
    const expected = sent === undefined ? [] : [sent];
    expect({
      ours: tokensOf(setup, "/gateway/v1/models"),
      theirs: tokensOf(setup, "/gateway/v1/responses"),
    }).toEqual({ ours: expected, theirs: expected });
  });
});
