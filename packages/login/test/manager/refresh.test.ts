import { chmod, link, rename, rm } from "node:fs/promises";
import type { TestAuthority } from "@agent-auth/test-authority";
import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import { describe, expect, it } from "vitest";
import {
  accessTokenOf,
  chatgptDocument,
  openHome,
  openSignIn,
  withManager,
  type Home,
  type ManagerSetup,
} from "./fixture.ts";

const refreshFails = (setup: ManagerSetup) =>
  withManager(setup, (manager) => Effect.flip(manager.refresh("forced")));

/** Refreshes the stored sign-in as another program would, without our lock. */
const refreshElsewhere = async (home: Home, authority: TestAuthority, refreshToken: string) => {
  const answer = await fetch(`${authority.url}/oauth/token`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      client_id: "app_EMoamEEZ73f0CkXaXp7hrann",
      grant_type: "refresh_token",
      refresh_token: refreshToken,
    }),
  });
  const tokens: Record<"id_token" | "access_token" | "refresh_token", string> = JSON.parse(
    await answer.text(),
  );
  const { id_token, access_token, refresh_token } = tokens;
  const stored = await home.read();
  return {
    access_token,
    write: () =>
      home.write({
        ...stored,
        tokens: { ...stored.tokens, id_token, access_token, refresh_token },
      }),
  };
};

describe("AuthManager.refresh", () => {
  it.each([
    ["refresh_token_expired", " because your refresh token has expired"],
    ["refresh_token_reused", " because your refresh token was already used"],
    ["refresh_token_invalidated", " because your refresh token was revoked"],
    ["anything_else", ""],
  ])("says of a 401 with %s what Codex says", async (code, because) => {
    const { home, authority } = await openSignIn();
    authority.behave("refresh", { status: 401, body: { error: { code } } });
    const error = await refreshFails({ home, authority });
    expect(error).toMatchObject({
      code: "LOGIN_REFRESH_REJECTED",
      message: `Your access token could not be refreshed${because}. Please log out and sign in again.`,
    });
    expect(authority.count("refresh")).toBe(1);
  });

  it.each([
    [{ error: { code: "refresh_token_expired" } }],
    [{ error: "refresh_token_expired" }],
    [{ code: "refresh_token_expired" }],
  ])("finds the error code in %j, whatever the status", async (body) => {
    const { home, authority } = await openSignIn();
    authority.behave("refresh", { status: 400, body });
    expect(await refreshFails({ home, authority })).toMatchObject({ reason: "expired" });
  });

  it("remembers a refusal for the token that was refused, and no longer", async () => {
    const { home, authority } = await openSignIn();
    authority.behave("refresh", { status: 401, body: {} }, { times: 1 });
    const outcome = await withManager({ home, authority }, (manager) =>
      Effect.gen(function* () {
        const first = yield* Effect.flip(manager.refresh("forced"));
        const second = yield* Effect.flip(manager.refresh("forced"));
        const requests = authority.count("refresh");
        const document = yield* Effect.promise(() =>
          chatgptDocument(authority, { expiresInSeconds: -10 }),
        );
        yield* Effect.promise(() => home.write(document));
        const third = yield* manager.refresh("forced");
        return { same: first === second, requests, third };
      }),
    );
    expect(outcome).toMatchObject({ same: true, requests: 1, third: { _tag: "Chatgpt" } });
    expect(authority.count("refresh")).toBe(2);
  });

  it("adopts a pair that another program stored meanwhile", async () => {
    const { home, authority, document } = await openSignIn();
    const credential = await withManager({ home, authority }, (manager) =>
      Effect.gen(function* () {
        const other = yield* Effect.promise(() =>
          refreshElsewhere(home, authority, document.tokens.refresh_token),
        );
        yield* Effect.promise(other.write);
        const adopted = yield* manager.refresh("unauthorized_recovery");
        return [accessTokenOf(adopted), other.access_token];
      }),
    );
    expect(credential[0]).toBe(credential[1]);
    expect(authority.count("refresh")).toBe(1);
  });

  it("waits for the pair of the program that spent the token first and is still writing", async () => {
    const { home, authority, document } = await openSignIn();
    authority.configure({ punishReuse: false });
    const other = await refreshElsewhere(home, authority, document.tokens.refresh_token);
    const writeOnceRefused = async () => {
      while (authority.count("refresh") < 2) await new Promise(setImmediate);
      await other.write();
    };
    const [adopted] = await Promise.all([
      withManager({ home, authority }, (manager) => manager.refresh("forced")),
      writeOnceRefused(),
    ]);
    expect(accessTokenOf(adopted)).toBe(other.access_token);
  });

  it("spends nothing if the store holds another account, or none", async () => {
    const { home, authority } = await openSignIn();
    const text =
      "Your access token could not be refreshed because you have since logged out or signed in to another account. Please sign in again.";
    const errors = await withManager({ home, authority }, (manager) =>
      Effect.gen(function* () {
        const other = authority.createAccount();
        const document = yield* Effect.promise(() =>
          chatgptDocument(authority, { account: other }),
        );
        yield* Effect.promise(() => home.write(document));
        const otherAccount = yield* Effect.flip(manager.refresh("forced"));
        yield* Effect.promise(() => rename(home.authJson, `${home.authJson}.away`));
        return [otherAccount, yield* Effect.flip(manager.refresh("forced"))];
      }),
    );
    expect(errors.map((error) => error.message)).toEqual([text, text]);
    expect(authority.count("refresh")).toBe(0);
  });

  it("spends nothing if the new pair could not be stored", async () => {
    const { home, authority } = await openSignIn();
    await chmod(home.authJson, 0o400);
    const error = await refreshFails({ home, authority });
    expect(error.code).toBe("LOGIN_STORE_UNWRITABLE");
    expect(authority.count("refresh")).toBe(0);
  });

  it("uses a pair that cannot be stored after all, and stores it once that works", async () => {
    const { home, authority, document } = await openSignIn({ expiresInSeconds: -10 });
    const other = `${home.authJson}.link`;
    const pairs = await Promise.all([0, 1].map(() => authority.mintChatgptTokens()));
    // Writable when it is asked; a hard link, which is refused, when the answer is there.
    for (const { accessToken, idToken, refreshToken } of pairs) {
      const body = { access_token: accessToken, id_token: idToken, refresh_token: refreshToken };
      authority.behave(
        "refresh",
        {
          respond: async () => {
            await link(home.authJson, other).catch(() => {});
            return { status: 200, body: JSON.stringify(body), headers: {} };
          },
        },
        { times: 1 },
      );
    }
    const seen = await withManager({ home, authority }, (manager) =>
      Effect.gen(function* () {
        const first = accessTokenOf(Option.getOrNull(yield* manager.current));
        const stored = yield* Effect.promise(home.read);
        const refused = yield* Effect.flip(manager.refresh("forced"));
        const reloaded = accessTokenOf(Option.getOrNull(yield* manager.reload));
        yield* Effect.promise(() => rm(other));
        return { first, reloaded, refused: refused.code, stored: stored.tokens?.access_token };
      }),
    );
    expect(seen).toEqual({
      first: pairs[0]?.accessToken,
      reloaded: pairs[0]?.accessToken,
      refused: "LOGIN_STORE_UNWRITABLE",
      stored: document.tokens.access_token,
    });
    expect((await home.read()).tokens?.refresh_token).toBe(pairs[0]?.refreshToken);
    expect(authority.count("refresh")).toBe(1);
  });

  it("keeps a new refresh token even if the answer lacks an access token", async () => {
    const { home, authority } = await openSignIn();
    authority.behave("refresh", { status: 200, body: { refresh_token: "rt-next" } });
    const error = await refreshFails({ home, authority });
    expect(error.message).toContain("the response holds no access token");
    expect((await home.read()).tokens?.refresh_token).toBe("rt-next");
  });

  it("keeps the id and refresh token if the answer leaves them out", async () => {
    const { home, authority, document } = await openSignIn();
    const fresh = await authority.mintChatgptTokens();
    authority.behave("refresh", { status: 200, body: { access_token: fresh.accessToken } });
    await withManager({ home, authority }, (manager) => manager.refresh("forced"));
    expect((await home.read()).tokens).toEqual({
      ...document.tokens,
      access_token: fresh.accessToken,
    });
  });

  it("goes to the authority that the tokens name, as the client that they name", async () => {
    const { home, authority, document } = await openSignIn();
    await home.write({
      ...document,
      tokens: {
        ...document.tokens,
        oauth_provenance: { issuer: `${authority.url}/`, client_id: "client-7" },
      },
    });
    const fresh = await authority.mintChatgptTokens();
    authority.behave("refresh", { status: 200, body: { access_token: fresh.accessToken } });
    await withManager(
      { home, authority, env: { CODEX_REFRESH_TOKEN_URL_OVERRIDE: "" } },
      (manager) => manager.refresh("forced"),
    );
    const bodies = authority.requestsTo("refresh").map(({ body }) => JSON.parse(body));
    expect(bodies).toMatchObject([{ client_id: "client-7" }]);
  });

  it("sends no refresh token to an issuer over plain http", async () => {
    const { home, authority, document } = await openSignIn();
    await home.write({
      ...document,
      tokens: {
        ...document.tokens,
        oauth_provenance: { issuer: "http://authority.example", client_id: "x" },
      },
    });
    const error = await refreshFails({
      home,
      authority,
      env: { CODEX_REFRESH_TOKEN_URL_OVERRIDE: "" },
    });
    expect(error.message).toContain("tokens.oauth_provenance.issuer must be an https URL");
  });

  it("checks the restrictions again, and logs out if the new tokens break them", async () => {
    const { home, authority } = await openSignIn();
    const other = authority.createAccount({ accountId: "ws-other" });
    const foreign = await authority.mintChatgptTokens({ account: other });
    authority.behave("refresh", {
      status: 200,
      body: { access_token: foreign.accessToken, id_token: foreign.idToken },
    });
    const config = [`forced_chatgpt_workspace_id=["${authority.account.accountId}"]`];
    const error = await refreshFails({ home, authority, config });
    expect(error).toMatchObject({ code: "LOGIN_CREDENTIAL_FORBIDDEN", loggedOut: true });
    expect(home.isSignedIn()).toBe(false);
  });

  it.each([
    ["an API key", { OPENAI_API_KEY: "sk-stored" }, "LOGIN_REFRESH_UNSUPPORTED"],
    ["nothing", undefined, "LOGIN_NOT_SIGNED_IN"],
  ])("refuses to refresh %s", async (_, document, code) => {
    const home = await openHome();
    if (document !== undefined) await home.write(document);
    expect((await refreshFails({ home })).code).toBe(code);
  });
});
