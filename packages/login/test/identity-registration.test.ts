import type { TestAuthority } from "@agent-auth/test-authority";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import * as Option from "effect/Option";
import { describe, expect, it } from "vitest";
import { layerNoDeps } from "../src/manager/index.ts";
import { layer as storeLayer } from "../src/storage/configured.ts";
import { layer as httpLayer } from "../src/http/index.ts";
import {
  IdentityRegistration,
  layer,
  type IdentityRegistrationOptions,
} from "../src/agents/registration/index.ts";
import {
  chatgptDocument,
  managerOptions,
  openAuthority,
  openHome,
  type Home,
} from "./manager/fixture.ts";

const use = async <A, E>(
  home: Home,
  authority: TestAuthority,
  body: (registration: IdentityRegistration["Service"]) => Effect.Effect<A, E>,
  more: Partial<IdentityRegistrationOptions> = {},
): Promise<A> => {
  const options = { ...(await managerOptions({ home, authority })), ...more };
  const registration = { enabled: true, agentVersion: "1.2.3", sessionSource: "cli", ...options };
  const deps = Layer.mergeAll(
    storeLayer({ mode: "file", codexHome: options.environment.codexHome }),
    httpLayer(options.environment),
  );
  const all = layer({ platform: "linux", ...registration }).pipe(
    Layer.provideMerge(layerNoDeps(options)),
    Layer.provide(deps),
  );
  return Effect.runPromise(IdentityRegistration.use(body).pipe(Effect.provide(all)));
};

const endpoints = (authority: TestAuthority) => authority.requests.map(({ endpoint }) => endpoint);

describe("IdentityRegistration.identity", () => {
  it("registers an agent for a ChatGPT sign-in and stores its record beside the tokens", async () => {
    const home = await openHome();
    const authority = await openAuthority();
    const before = await chatgptDocument(authority);
    await home.write(before);
    const identity = await use(home, authority, (it) => it.identity);
    expect(endpoints(authority)).toEqual(["biscuit", "registerAgent", "biscuit", "registerTask"]);
    const stored = await home.read();
    expect(stored.tokens).toEqual(before.tokens);
    expect(stored.agent_identity).toEqual({
      workspace_id: authority.account.accountId,
      chatgpt_user_id: authority.account.userId,
      agent_runtime_id: Option.getOrThrow(identity).record.agentRuntimeId,
      agent_private_key: expect.stringMatching(/^[\w+/]+=*$/),
      registered_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
    });
    const [request] = authority.requestsTo("registerAgent");
    expect(JSON.parse(request?.body ?? "")).toMatchObject({
      abom: {
        agent_version: "1.2.3",
        agent_harness_id: "codex-cli",
        running_location: "cli-linux",
      },
      capabilities: [],
    });
    expect(
      authority.requestsTo("registerTask")[0]?.headers["x-openai-authorization"],
    ).toBeDefined();
  });

  it("registers as Codex does now if that is chosen", async () => {
    const home = await openHome();
    const authority = await openAuthority();
    const document = await chatgptDocument(authority);
    await home.write(document);
    await use(home, authority, (it) => it.identity, { design: "v2" });
    const [request] = authority.requestsTo("registerAgent");
    expect(request?.headers["authorization"]).toBe(`Bearer ${document.tokens.access_token}`);
    expect(JSON.parse(request?.body ?? "")).toMatchObject({
      capabilities: ["responsesapi"],
      ttl: null,
    });
  });

  it("uses the stored agent again in another process", async () => {
    const home = await openHome();
    const authority = await openAuthority();
    await home.write(await chatgptDocument(authority));
    const first = await use(home, authority, (it) => it.identity);
    const second = await use(home, authority, (it) => it.identity);
    expect(Option.getOrThrow(second).record).toEqual(Option.getOrThrow(first).record);
    expect(authority.count("registerAgent")).toBe(1);
  });

  it.each([["workspace_id"], ["chatgpt_user_id"]])(
    "drops a record of another %s and registers a new agent",
    async (member) => {
      const home = await openHome();
      const authority = await openAuthority();
      await home.write(await chatgptDocument(authority));
      await use(home, authority, (it) => it.identity);
      const stored = await home.read();
      const record = Object(stored.agent_identity);
      await home.write({ ...stored, agent_identity: { ...record, [member]: "somebody-else" } });
      await use(home, authority, (it) => it.identity);
      expect(authority.count("registerAgent")).toBe(2);
      expect((await home.read()).agent_identity).not.toMatchObject({ [member]: "somebody-else" });
    },
  );

  it("registers nothing if it is not enabled", async () => {
    const home = await openHome();
    const authority = await openAuthority();
    await home.write(await chatgptDocument(authority));
    const identity = await use(home, authority, (it) => it.identity, { enabled: false });
    expect(Option.isNone(identity)).toBe(true);
    expect(authority.requests).toHaveLength(0);
  });

  it("is the credential itself if that is an agent identity only, enabled or not", async () => {
    const home = await openHome();
    const authority = await openAuthority();
    const { agentRuntimeId, account, privateKey } = await authority.mintAgentIdentity();
    const agent_identity = {
      workspace_id: account.accountId,
      agent_runtime_id: agentRuntimeId,
      agent_private_key: privateKey,
      registered_at: "2026-04-13T12:00:00Z",
    };
    await home.write({ auth_mode: "chatgpt", agent_identity });
    const identity = await use(home, authority, (it) => it.identity, { enabled: false });
    expect(Option.getOrThrow(identity).record.agentRuntimeId).toBe(agentRuntimeId);
    expect(endpoints(authority)).toEqual(["registerTask"]);
    expect(
      authority.requestsTo("registerTask")[0]?.headers["x-openai-authorization"],
    ).toBeUndefined();
  });

  it("registers nothing for the sign-in of another user in the same workspace", async () => {
    const home = await openHome();
    const authority = await openAuthority();
    await home.write(await chatgptDocument(authority));
    const { accountId } = authority.account;
    const colleague = authority.createAccount({ accountId, userId: "user-colleague" });
    const theirs = await chatgptDocument(authority, { account: colleague });
    const error = await use(home, authority, (it) =>
      Effect.andThen(
        Effect.promise(() => home.write(theirs)),
        Effect.flip(it.identity),
      ),
    );
    expect(error.code).toBe("LOGIN_REFRESH_ACCOUNT_CHANGED");
    expect(endpoints(authority)).toEqual([]);
    expect(await home.read()).toEqual(theirs);
  });

  it("stores no agent if its registration fails", async () => {
    const home = await openHome();
    const authority = await openAuthority();
    const document = await chatgptDocument(authority);
    await home.write(document);
    authority.behave("registerAgent", { status: 403, body: { message: "no" } });
    const error = await use(home, authority, (it) => Effect.flip(it.identity));
    expect(error.code).toBe("AGENT_IDENTITY_AGENT_REGISTRATION_REJECTED");
    expect(await home.read()).toEqual(document);
  });
});

describe("IdentityRegistration.backgroundIdentity", () => {
  it("keeps its task in the record, for other processes, until it is rejected", async () => {
    const home = await openHome();
    const authority = await openAuthority();
    await home.write(await chatgptDocument(authority));
    const taskIdOf = (rejectedTaskId?: string) =>
      use(home, authority, (it) =>
        Effect.map(
          it.backgroundIdentity(rejectedTaskId === undefined ? {} : { rejectedTaskId }),
          (identity) => Option.getOrThrow(identity).signer.taskId,
        ),
      );
    const first = await taskIdOf();
    expect((await home.read()).agent_identity).toMatchObject({ background_task_id: first });
    expect(await taskIdOf()).toBe(first);
    const second = await taskIdOf(first);
    expect(second).not.toBe(first);
    expect((await home.read()).agent_identity).toMatchObject({ background_task_id: second });
    expect(authority.count("registerTask")).toBe(2);
  });

  it("is remembered by the process for an agent identity of the environment", async () => {
    const home = await openHome();
    const authority = await openAuthority();
    await home.write({
      auth_mode: "agentIdentity",
      agent_identity: await authority.mintAgentIdentityJwt(),
    });
    const taskIds = await use(home, authority, (it) =>
      Effect.all([it.backgroundIdentity(), it.backgroundIdentity()]),
    );
    expect(new Set(taskIds.map((one) => Option.getOrThrow(one).signer.taskId)).size).toBe(1);
    expect(authority.count("registerTask")).toBe(2);
  });
});
