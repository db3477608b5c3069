import { AuthManager } from "@agent-auth/login/manager";
import type { Credential } from "@agent-auth/login/credential";
import { it } from "@effect/vitest";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import * as Option from "effect/Option";
import * as Stream from "effect/Stream";
import * as TestClock from "effect/testing/TestClock";
import { describe, expect } from "vitest";
import { RequestSigner } from "../src/signing/index.ts";
import { agent, chatgpt } from "./support/credentials.ts";
import { providerAt } from "./support/providers.ts";

const unused = Effect.die("this test asks for nothing of the kind");

/** The auth manager's service over one credential, telling how often it was asked for it. */
const managerService = (credential: Credential, asked: { count: number }) =>
  Layer.succeed(
    AuthManager,
    AuthManager.of({
      current: Effect.sync(() => {
        asked.count++;
        return Option.some(credential);
      }),
      snapshot: () => Option.some(credential),
      requestSnapshot: () => Option.some(credential),
      recoverUnauthorized: (rejected) =>
        Effect.succeed(rejected === credential ? Option.some(chatgpt("refreshed")) : Option.none()),
      inspect: unused,
      reload: unused,
      refresh: () => unused,
      checkLogin: () => unused,
      loginWithApiKey: () => unused,
      loginWithAccessToken: () => unused,
      saveAccessToken: () => unused,
      loginWithChatgptTokens: () => unused,
      workspaces: unused,
      switchWorkspace: () => unused,
      logout: unused,
      setExternalProvider: () => unused,
      changes: Stream.empty,
    }),
  );

const provider = providerAt("https://gw.example/v1");

const signerOver = (credential: Credential, asked = { count: 0 }) =>
  RequestSigner.layer(provider).pipe(Layer.provide(managerService(credential, asked)));

describe("RequestSigner.layer", () => {
  it.effect("signs for the second of Effect's clock", () =>
    Effect.gen(function* () {
      const signer = yield* RequestSigner;
      yield* TestClock.setTime(5_999);
      const first = yield* signer.sign();
      const again = signer.signNow();
      yield* TestClock.adjust(1);
      const next = yield* signer.sign();
      expect(first.toRecord()).toEqual({
        Authorization: "AgentAssertion task-1.5",
        "ChatGPT-Account-ID": "workspace-1",
      });
      expect(again).toBe(first);
      expect(next.toRecord()["Authorization"]).toBe("AgentAssertion task-1.6");
      expect(next.target.baseUrl).toBe("https://gw.example/v1");
    }).pipe(Effect.provide(signerOver(agent()))),
  );

  it.effect("asks the manager from ten minutes before the access token expires", () => {
    const asked = { count: 0 };
    const minute = 60_000;
    return Effect.gen(function* () {
      const signer = yield* RequestSigner;
      yield* TestClock.setTime(0);
      expect(signer.signNow()).not.toBeNull();
      yield* TestClock.setTime(50 * minute - 1);
      expect(signer.signNow()).not.toBeNull();
      yield* TestClock.setTime(50 * minute);
      expect(signer.signNow()).toBeNull();
      yield* signer.sign();
      expect(asked.count).toBe(1);
    }).pipe(Effect.provide(signerOver(chatgpt("a", { expiresAtMs: 60 * minute }), asked)));
  });

  it.effect("asks the manager about a credential whose expiry is not a number", () => {
    const asked = { count: 0 };
    return Effect.gen(function* () {
      const signer = yield* RequestSigner;
      expect(signer.signNow()).toBeNull();
      yield* signer.sign();
      expect(asked.count).toBe(1);
    }).pipe(Effect.provide(signerOver(chatgpt("a", { expiresAtMs: Number.NaN }), asked)));
  });

  it.effect("signs with an agent's key until its JWT no longer verifies, a minute after exp", () =>
    Effect.gen(function* () {
      const signer = yield* RequestSigner;
      yield* TestClock.setTime(1_059_999);
      expect(signer.signNow()).not.toBeNull();
      yield* TestClock.setTime(1_060_000);
      expect(signer.signNow()).toBeNull();
    }).pipe(Effect.provide(signerOver({ ...agent(), expiresAtMs: 1_000_000 }))),
  );

  it.effect("recovers with another credential of the same account, or with none", () =>
    Effect.gen(function* () {
      const signer = yield* RequestSigner;
      const signed = yield* signer.sign();
      const next = Option.getOrThrow(yield* signer.recover(signed));
      expect(next.toRecord()).toEqual({
        Authorization: "Bearer refreshed",
        "ChatGPT-Account-ID": "acc-1",
      });
      expect(yield* signer.recover(next)).toEqual(Option.none());
    }).pipe(Effect.provide(signerOver(chatgpt()))),
  );

  it.effect("does not recover with the credential of another account", () =>
    Effect.gen(function* () {
      const signer = yield* RequestSigner;
      const signed = yield* signer.sign();
      expect(yield* signer.recover(signed)).toEqual(Option.none());
    }).pipe(Effect.provide(signerOver(chatgpt("access-1", { accountId: "acc-2" })))),
  );
});

describe("RequestSigner.layerNoManager", () => {
  it.effect("signs with the provider's own token, which cannot be recovered", () =>
    Effect.gen(function* () {
      const signer = yield* RequestSigner;
      const signed = yield* signer.sign();
      expect(signed.toRecord()).toEqual({ Authorization: "Bearer from-env" });
      expect(yield* signer.recover(signed)).toEqual(Option.none());
    }).pipe(
      Effect.provide(
        RequestSigner.layerNoManager(
          providerAt("https://gw.example/v1", { envKey: "GW_KEY" }, { GW_KEY: "from-env" }),
        ),
      ),
    ),
  );
});
