import { startTestAuthority, type TestAuthority } from "@agent-auth/test-authority";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { connect, clientInfo } from "./support/connect.ts";
import { openService } from "./support/service.ts";

const open = async () => {
  const authority = await startTestAuthority();
  onTestFinished(() => authority.close());
  const gateway = (id: string, more: ReadonlyArray<string> = []) => [
    `model_providers.${id}.name="${id}"`,
    `model_providers.${id}.base_url="${authority.url}/gateway/v1"`,
    `model_providers.${id}.gateway_oauth.authorization_url="${authority.url}/gateway/authorize"`,
    `model_providers.${id}.gateway_oauth.token_url="${authority.url}/gateway/token"`,
    `model_providers.${id}.gateway_oauth.client_id="gw-client"`,
    `model_providers.${id}.gateway_oauth.credentials_store="file"`,
    ...more,
  ];
  const { service } = await openService({
    authority,
    configOverrides: [
      "model_provider=gw",
      ...gateway("gw", [
        `model_providers.gw.gateway_oauth.device_authorization_url="${authority.url}/gateway/device"`,
      ]),
      ...gateway("nodev"),
      'model_providers.plain.base_url="http://127.0.0.1:1/v1"',
    ],
  });
  const clientOf = async () => {
    const client = connect(service);
    await client.initialize({ clientInfo });
    const changes: Array<unknown> = [];
    client.on("account/gatewayOAuth/changed", (params) => void changes.push(params));
    return { client, changes };
  };
  return { authority, clientOf };
};

const changed = (status: string, more: object = {}) => ({
  loginId: null,
  authUrl: null,
  providerId: "gw",
  status,
  error: null,
  ...more,
});

const browse = async (authority: TestAuthority, url: string): Promise<void> => {
  const page = await fetch(url, { redirect: "manual" });
  await fetch(page.headers.get("location") ?? authority.url);
};

describe("a sign-in to a gateway", () => {
  it("shows its URL only to the client that asked, and its end to all", async () => {
    const { authority, clientOf } = await open();
    const [a, b] = [await clientOf(), await clientOf()];
    const shown = Promise.withResolvers<string>();
    a.client.on("account/gatewayOAuth/changed", (params) => {
      const url = JSON.stringify(params).match(/"authUrl":"([^"]+)"/)?.[1];
      if (url !== undefined) shown.resolve(url);
    });
    const login = a.client.call("account/gatewayOAuth/login", {});
    const url = await shown.promise;
    await browse(authority, url);
    expect(await login).toEqual({ prompt: null });
    await vi.waitFor(() => expect(b.changes).toHaveLength(2));
    expect(a.changes).toEqual([
      changed("started", { authUrl: url }),
      changed("started"),
      changed("succeeded"),
    ]);
    expect(b.changes).toEqual([changed("started"), changed("succeeded")]);
    const { status } = await b.client.call("account/gatewayOAuth/read", {});
    expect(status).toBe("succeeded");
  });

  it("with a device code names its attempt when it ends", async () => {
    const { authority, clientOf } = await open();
    const { changes, client } = await clientOf();
    authority.behave("gatewayDevice", {
      change: (response) => {
        if (typeof response.body !== "string") throw new TypeError("the answer is not JSON text");
        const body = JSON.stringify({ ...JSON.parse(response.body), interval: 0.01 });
        return { ...response, body };
      },
    });
    const { prompt } = await client.call("account/gatewayOAuth/login", { deviceAuth: true });
    authority.approveGatewayDevice(prompt?.userCode ?? "");
    await vi.waitFor(() => expect(changes).toHaveLength(4), { timeout: 10_000 });
    expect(changes).toEqual([
      changed("notReady"),
      changed("started"),
      changed("succeeded", { loginId: prompt?.loginId }),
      changed("succeeded"),
    ]);
    const again = await client.call("account/gatewayOAuth/login", { deviceAuth: true });
    expect(again).toEqual({ prompt: null });
  });

  it.each([
    [
      "a provider without a gateway",
      { modelProvider: "plain" },
      "The selected provider does not use gateway OAuth",
    ],
    [
      "the built-in provider",
      { modelProvider: "openai" },
      "The selected provider does not use gateway OAuth",
    ],
    [
      "an unknown provider",
      { modelProvider: "nope" },
      "This chat uses model provider “nope”, which is no longer configured. Restore this provider’s configuration to continue.",
    ],
    [
      "a gateway without device codes",
      { modelProvider: "nodev", deviceAuth: true },
      "The gateway does not support device authorization",
    ],
  ])("is refused for %s", async (_, params, text) => {
    const { clientOf } = await open();
    const { client } = await clientOf();
    await expect(client.call("account/gatewayOAuth/login", params)).rejects.toMatchObject({
      rpcCode: -32600,
      text,
    });
  });

  it.each([
    ["a second one with the browser", {}],
    ["one with a device code", { deviceAuth: true }],
    ["one to another provider", { modelProvider: "nodev" }],
  ])("is the only one at a time: %s is refused until it is cancelled", async (_, params) => {
    const { clientOf } = await open();
    const { changes, client } = await clientOf();
    const first = client.call("account/gatewayOAuth/login", {}).catch((error: unknown) => error);
    await vi.waitFor(() => expect(changes).toHaveLength(2));
    await expect(client.call("account/gatewayOAuth/login", params)).rejects.toMatchObject({
      rpcCode: -32600,
      text: "Gateway sign-in is already in progress",
    });
    expect(await client.call("account/gatewayOAuth/cancel", {})).toEqual({});
    expect(await first).toMatchObject({ rpcCode: -32603, text: "Gateway sign-in was canceled" });
  });
});
