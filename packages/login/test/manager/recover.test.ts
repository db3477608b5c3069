import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import * as Redacted from "effect/Redacted";
import { describe, expect, it } from "vitest";
import type { ExternalAuthProvider } from "../../src/manager/index.ts";
import type { Credential } from "../../src/credential/index.ts";
import { chatgptDocument, openAuthority, openHome, secret, withManager } from "./fixture.ts";

const nobody: Credential = {
  _tag: "Bearer",
  token: secret("nobody"),
  account: { isFedrampAccount: false },
  source: { _tag: "Ephemeral" },
};
const orNobody = (credential: Option.Option<Credential>) =>
  Option.getOrElse(credential, () => nobody);

describe("AuthManager.recoverUnauthorized", () => {
  it("refreshes once for 2000 callers with the same rejected credential", async () => {
    const home = await openHome();
    const authority = await openAuthority();
    await home.write(await chatgptDocument(authority));
    const seen = await withManager({ home, authority }, (manager) =>
      Effect.gen(function* () {
        const rejected = orNobody(yield* manager.current);
        const answers = yield* Effect.all(
          Array.from({ length: 2000 }, () => manager.recoverUnauthorized(rejected)),
          { concurrency: "unbounded" },
        );
        const late = yield* manager.recoverUnauthorized(rejected);
        return { rejected, distinct: new Set([...answers, late].map(orNobody)) };
      }),
    );
    expect(seen.distinct.size).toBe(1);
    expect(seen.distinct.has(seen.rejected)).toBe(false);
    expect(authority.count("refresh")).toBe(1);
    expect(authority.requestsTo("refresh")[0]?.body).toContain('"unauthorized_recovery"');
  });

  it("takes what another program has stored before it refreshes", async () => {
    const home = await openHome();
    const authority = await openAuthority();
    await home.write(await chatgptDocument(authority));
    const newer = await chatgptDocument(authority);
    const recovered = await withManager({ home, authority }, (manager) =>
      Effect.gen(function* () {
        const rejected = orNobody(yield* manager.current);
        yield* Effect.promise(() => home.write(newer));
        return orNobody(yield* manager.recoverUnauthorized(rejected));
      }),
    );
    expect(recovered._tag === "Chatgpt" && Redacted.value(recovered.accessToken)).toBe(
      newer.tokens.access_token,
    );
    expect(authority.count("refresh")).toBe(0);
  });

  it("continues when the caller that started it is interrupted", async () => {
    const home = await openHome();
    const authority = await openAuthority();
    await home.write(await chatgptDocument(authority));
    authority.behave("refresh", { delayMs: 150 });
    const recovered = await withManager({ home, authority }, (manager) =>
      Effect.gen(function* () {
        const rejected = orNobody(yield* manager.current);
        const impatient = Effect.timeoutOption(manager.recoverUnauthorized(rejected), 20);
        const [given, waited] = yield* Effect.all(
          [impatient, manager.recoverUnauthorized(rejected)],
          { concurrency: 2 },
        );
        return { given, waited };
      }),
    );
    expect(Option.isNone(recovered.given)).toBe(true);
    expect(Option.isSome(recovered.waited)).toBe(true);
    expect(authority.count("refresh")).toBe(1);
  });

  it("registers one fresh task for all callers of an agent identity", async () => {
    const home = await openHome();
    const authority = await openAuthority();
    const env = { CODEX_AGENT_IDENTITY: await authority.mintAgentIdentityJwt() };
    const tasks = await withManager({ home, authority, env }, (manager) =>
      Effect.gen(function* () {
        const rejected = orNobody(yield* manager.current);
        const answers = yield* Effect.all(
          Array.from({ length: 100 }, () => manager.recoverUnauthorized(rejected)),
          { concurrency: "unbounded" },
        );
        return [rejected, ...new Set(answers.map(orNobody))].map(
          (one) => one._tag === "AgentIdentity" && one.signer.taskId,
        );
      }),
    );
    expect(new Set(tasks).size).toBe(2);
    expect(authority.count("registerTask")).toBe(2);
    expect(authority.count("jwks")).toBe(1);
  });

  it("returns no other credential for API keys and personal access tokens", async () => {
    const home = await openHome();
    const authority = await openAuthority();
    for (const env of [
      { CODEX_API_KEY: "sk-environment" },
      { CODEX_ACCESS_TOKEN: authority.mintPersonalAccessToken() },
    ]) {
      const recovered = await withManager({ home, authority, env }, (manager) =>
        Effect.flatMap(manager.current, (one) => manager.recoverUnauthorized(orNobody(one))),
      );
      expect(Option.isNone(recovered)).toBe(true);
    }
    expect(authority.count("refresh")).toBe(0);
  });

  it("does not repeat a request of one account with the sign-in of another", async () => {
    const home = await openHome();
    const authority = await openAuthority();
    await home.write(await chatgptDocument(authority));
    const outcome = await withManager({ home, authority }, (manager) =>
      Effect.gen(function* () {
        const rejected = orNobody(yield* manager.current);
        const other = yield* Effect.promise(() =>
          chatgptDocument(authority, { account: authority.createAccount() }),
        );
        yield* Effect.promise(() => home.write(other));
        const before = yield* Effect.flip(manager.recoverUnauthorized(rejected));
        yield* manager.reload;
        return [before.code, yield* manager.recoverUnauthorized(rejected)];
      }),
    );
    expect(outcome).toEqual(["LOGIN_REFRESH_ACCOUNT_CHANGED", Option.none()]);
  });
});

describe("AuthManager.recoverUnauthorized for tokens without an account", () => {
  const nameless = { "https://api.openai.com/auth": {} };
  const openNameless = async () => {
    const authority = await openAuthority();
    const mint = async (email: string) => {
      const document = await chatgptDocument(authority, {
        account: authority.createAccount({ email }),
        idTokenClaims: nameless,
        accessTokenClaims: nameless,
      });
      return { ...document, tokens: { ...document.tokens, account_id: undefined } };
    };
    return { home: await openHome(), authority, mint };
  };

  it("does not continue with another account that signed in meanwhile", async () => {
    const { home, authority, mint } = await openNameless();
    await home.write(await mint("alice@example.com"));
    const theirs = await mint("mallory@example.com");
    const error = await withManager({ home, authority }, (manager) =>
      Effect.gen(function* () {
        const rejected = orNobody(yield* manager.current);
        yield* Effect.promise(() => home.write(theirs));
        return yield* Effect.flip(manager.recoverUnauthorized(rejected));
      }),
    );
    expect(error.code).toBe("LOGIN_REFRESH_ACCOUNT_CHANGED");
    expect(authority.count("refresh")).toBe(0);
    expect((await home.read()).tokens?.refresh_token).toBe(theirs.tokens.refresh_token);
  });

  it("still refreshes the sign-in itself", async () => {
    const { home, authority, mint } = await openNameless();
    const stored = await mint("alice@example.com");
    await home.write(stored);
    const recovered = await withManager({ home, authority }, (manager) =>
      Effect.flatMap(manager.current, (one) => manager.recoverUnauthorized(orNobody(one))),
    );
    expect(orNobody(recovered)).toMatchObject({ account: { email: "alice@example.com" } });
    expect(authority.count("refresh")).toBe(1);
  });
});

/** Answers in turn, and fails when it has no answer left. */
const provider = (
  answers: ReadonlyArray<{ readonly token: string; readonly accountId?: string }>,
) => {
  const asked: Array<unknown> = [];
  const external: ExternalAuthProvider = {
    name: "the editor",
    tokens: (ask) =>
      Effect.suspend(() => {
        const answer = answers[asked.push(ask) - 1];
        return answer === undefined
          ? Effect.fail(new Error("the window was closed"))
          : Effect.succeed({
              accessToken: secret(answer.token),
              accountId: answer.accountId ?? "acct-1",
              planType: "Pro",
            });
      }),
  };
  return { asked, external };
};

describe("external tokens", () => {
  it("take precedence over CODEX_ACCESS_TOKEN and the store, and are requested once", async () => {
    const home = await openHome();
    await home.write({ OPENAI_API_KEY: "sk-stored" });
    const { asked, external } = provider([{ token: "t-1" }]);
    const seen = await withManager(
      { home, env: { CODEX_ACCESS_TOKEN: "at-x" }, options: { externalProvider: external } },
      (manager) => Effect.all([manager.current, manager.reload]),
    );
    expect(seen.map(orNobody)[1]).toEqual(orNobody(seen[0]));
    expect(orNobody(seen[0])).toMatchObject({
      _tag: "ExternalChatgpt",
      account: { accountId: "acct-1", planType: "pro" },
      source: { _tag: "External", name: "the editor" },
    });
    expect(asked).toEqual([{ reason: "initial" }]);
  });

  it("are asked for again, once, after a 401", async () => {
    const home = await openHome();
    const { asked, external } = provider([{ token: "t-1" }, { token: "t-2" }]);
    const recovered = await withManager(
      { home, options: { externalProvider: external } },
      (manager) =>
        Effect.gen(function* () {
          const rejected = orNobody(yield* manager.current);
          const answers = yield* Effect.all(
            Array.from({ length: 50 }, () => manager.recoverUnauthorized(rejected)),
            { concurrency: "unbounded" },
          );
          return new Set(answers.map(orNobody)).size;
        }),
    );
    expect(recovered).toBe(1);
    expect(asked).toEqual([
      { reason: "initial" },
      { reason: "unauthorized", previousAccountId: "acct-1" },
    ]);
  });

  it("offer nothing if the provider has no newer ones, and no other account's", async () => {
    const home = await openHome();
    const same = provider([{ token: "t-1" }, { token: "t-1" }]);
    const none = await withManager(
      { home, options: { externalProvider: same.external } },
      (manager) =>
        Effect.flatMap(manager.current, (one) => manager.recoverUnauthorized(orNobody(one))),
    );
    expect(Option.isNone(none)).toBe(true);
    const other = provider([{ token: "t-1" }, { token: "t-2", accountId: "acct-2" }]);
    const error = await withManager(
      { home, options: { externalProvider: other.external } },
      (manager) =>
        Effect.flatMap(manager.current, (one) =>
          Effect.flip(manager.recoverUnauthorized(orNobody(one))),
        ),
    );
    expect(error.code).toBe("LOGIN_REFRESH_ACCOUNT_CHANGED");
  });

  it("fail if the provider fails, and never give a weaker credential", async () => {
    const home = await openHome();
    await home.write({ OPENAI_API_KEY: "sk-stored" });
    const { external } = provider([]);
    const error = await withManager({ home, options: { externalProvider: external } }, (manager) =>
      Effect.flip(manager.current),
    );
    expect(error.message).toBe("the editor did not supply ChatGPT tokens: the window was closed");
  });

  it("are replaced by the stored credential when the provider is removed", async () => {
    const home = await openHome();
    await home.write({ OPENAI_API_KEY: "sk-stored" });
    const { external } = provider([{ token: "t-1" }]);
    const kinds = await withManager({ home }, (manager) =>
      Effect.gen(function* () {
        const kind = Effect.map(manager.current, (one) => orNobody(one)._tag);
        const before = yield* kind;
        yield* manager.setExternalProvider(external);
        const during = yield* kind;
        yield* manager.setExternalProvider(null);
        return [before, during, yield* kind];
      }),
    );
    expect(kinds).toEqual(["ApiKey", "ExternalChatgpt", "ApiKey"]);
  });
});
