import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import { describe, expect, it } from "vitest";
import {
  accessTokenOf,
  chatgptDocument,
  openAuthority,
  openHome,
  type ManagerSetup,
  withManager,
} from "./fixture.ts";

/** A sign-in of a person with two workspaces. */
const openPerson = async () => {
  const account = { accountId: "ws-1", userId: "user-1", workspaceName: "Mine" };
  const authority = await openAuthority({ account });
  authority.createAccount({
    accountId: "ws-2",
    userId: "user-1",
    workspaceName: "Team",
    planType: "team",
  });
  const home = await openHome();
  await home.write(await chatgptDocument(authority));
  return { authority, home };
};

const switchTo = (setup: ManagerSetup, id: string) =>
  withManager(setup, (manager) => manager.switchWorkspace(id));

const refused = (setup: ManagerSetup, id: string) =>
  withManager(setup, (manager) => Effect.flip(manager.switchWorkspace(id)));

describe("switchWorkspace", () => {
  it("stores a token of the other workspace, and makes it current", async () => {
    const { authority, home } = await openPerson();
    const before = await home.read();
    const current = await withManager({ authority, home }, (manager) =>
      Effect.andThen(manager.switchWorkspace("ws-2"), manager.current),
    );
    const credential = Option.getOrThrow(current);
    expect(credential.account.accountId).toBe("ws-2");
    const stored = (await home.read()).tokens;
    expect(stored).toEqual({
      ...before.tokens,
      access_token: accessTokenOf(credential),
      account_id: "ws-2",
    });
    expect(stored?.access_token).not.toBe(before.tokens?.access_token);
    const [request] = authority.requestsTo("switchWorkspace");
    expect([request?.path, request?.body, request?.headers["chatgpt-account-id"]]).toEqual([
      "/backend-api/accounts/switch-workspace-token",
      '{"workspace_id":"ws-2"}',
      "ws-1",
    ]);
  });

  it("sends nothing if that workspace is current", async () => {
    const { authority, home } = await openPerson();
    await switchTo({ authority, home }, "ws-1");
    expect(authority.requests).toEqual([]);
  });

  it("fails with Codex's text if the backend refuses, and changes nothing", async () => {
    const { authority, home } = await openPerson();
    const before = await home.read();
    expect(await refused({ authority, home }, "ws-9")).toMatchObject({
      code: "LOGIN_WORKSPACE_SWITCH_FAILED",
      message: "Workspace switch was rejected (HTTP 403 Forbidden)",
      remedy: "signIn",
    });
    expect(await home.read()).toEqual(before);
  });

  it.each([
    [{ status: 503 }, "the workspace could not be switched: HTTP 503 Service Unavailable", "retry"],
    [
      { status: 200, body: {} },
      "the workspace could not be switched: its response is unusable: access_token missing or of the wrong type",
      "retry",
    ],
  ])("fails if the backend cannot do it: %j", async (behaviour, message, remedy) => {
    const { authority, home } = await openPerson();
    const before = await home.read();
    authority.behave("switchWorkspace", behaviour);
    expect(await refused({ authority, home }, "ws-2")).toMatchObject({ message, remedy });
    expect(await home.read()).toEqual(before);
  });

  it("refuses a token of a third workspace", async () => {
    const { authority, home } = await openPerson();
    const third = authority.createAccount({ accountId: "ws-3", userId: "user-1" });
    const { accessToken } = await authority.mintChatgptTokens({ account: third });
    authority.behave("switchWorkspace", { status: 200, body: { access_token: accessToken } });
    expect((await refused({ authority, home }, "ws-2")).message).toBe(
      "the workspace could not be switched: the backend sent a token of another workspace",
    );
    expect((await home.read()).tokens?.account_id).toBe("ws-1");
  });

  it("does not overwrite a sign-in that another program stores meanwhile", async () => {
    const { authority, home } = await openPerson();
    const other = authority.createAccount({ accountId: "ws-7", userId: "user-7" });
    const theirs = await chatgptDocument(authority, { account: other });
    authority.behave("switchWorkspace", {
      change: async (response) => {
        await home.write(theirs);
        return response;
      },
    });
    const error = await refused({ authority, home }, "ws-2");
    expect(error.code).toBe("LOGIN_REFRESH_ACCOUNT_CHANGED");
    expect((await home.read()).tokens?.account_id).toBe("ws-7");
  });

  it("is refused by a restriction before anything is sent", async () => {
    const { authority, home } = await openPerson();
    const config = ['forced_chatgpt_workspace_id=["ws-1"]'];
    expect((await refused({ authority, home, config }, "ws-2")).code).toBe(
      "LOGIN_WORKSPACE_NOT_ALLOWED",
    );
    expect(authority.requests).toEqual([]);
  });

  it.each([
    ["an API key", { OPENAI_API_KEY: "sk-1" }, {}, "LOGIN_WORKSPACE_SWITCH_UNSUPPORTED"],
    ["no sign-in", undefined, {}, "LOGIN_WORKSPACE_SWITCH_UNSUPPORTED"],
    [
      "a variable",
      { OPENAI_API_KEY: "sk-1" },
      { CODEX_API_KEY: "sk-2" },
      "LOGIN_ENVIRONMENT_CREDENTIAL_OVERRIDES",
    ],
  ])("is not possible with %s", async (_, document, env, code) => {
    const authority = await openAuthority();
    const home = await openHome();
    if (document !== undefined) await home.write(document);
    expect((await refused({ authority, home, env }, "ws-2")).code).toBe(code);
    expect(authority.requests).toEqual([]);
  });
});

describe("workspaces", () => {
  it("lists those of the person, and marks the current one", async () => {
    const { authority, home } = await openPerson();
    const found = await withManager({ authority, home }, (manager) => manager.workspaces);
    expect(found).toEqual([
      { id: "ws-1", name: "Mine", structure: "personal", isCurrent: true },
      { id: "ws-2", name: "Team", structure: "workspace", isCurrent: false },
    ]);
  });
});
