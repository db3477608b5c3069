import { inspect } from "node:util";
import * as Effect from "effect/Effect";
import * as Redacted from "effect/Redacted";
import * as Result from "effect/Result";
import { describe, expect, it } from "vitest";
import { accountState } from "../src/provider/account-state.ts";
import { authHeaders } from "../src/signing/auth-headers.ts";
import { createAuthenticatedFetch } from "../src/fetch/index.ts";
import { runTokenCommand } from "../src/credentials/command-token.ts";
import { createHeaderSource } from "../src/signing/headers.ts";
import { makeRequestSigner } from "../src/signing/request-signer.ts";
import { agent, apiKey, chatgpt, personalAccessToken } from "./support/credentials.ts";
import { brokenManager, managerOf } from "./support/managers.ts";
import { providerAt } from "./support/providers.ts";

const canary = "canary-7f3a";

/** Everything that a log could print of a value. */
const printed = (value: unknown): string =>
  [
    inspect(value, { depth: 12, showHidden: true }),
    JSON.stringify(value) ?? "",
    String(value),
    value instanceof Error ? `${value.message}${value.stack ?? ""}` : "",
  ].join("\n");

const rejection = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => expect.fail("it was expected to fail"),
    (error: unknown) => error,
  );

describe("no secret is printed by", () => {
  const provider = providerAt(
    "http://localhost:1/v1",
    { httpHeaders: { "X-Secret": Redacted.make(canary) }, envHttpHeaders: { "X-Env": "ENV" } },
    { ENV: canary },
  );
  const signIns = [
    apiKey(canary),
    chatgpt(canary),
    personalAccessToken(canary),
    agent(canary, () => `AgentAssertion ${canary}`),
  ];

  it.each(signIns)("signed headers, signers and sources of $_tag", async (credential) => {
    const signer = makeRequestSigner({ provider, manager: managerOf(credential) });
    const signed = await createHeaderSource({ signer }).sign();
    expect(signed.toRecord()["Authorization"]).toContain(canary);
    const state = await Effect.runPromise(accountState(managerOf(credential)));
    for (const value of [signed, { signed }, signer, signer.provider, state])
      expect(printed(value)).not.toContain(canary);
  });

  it("errors", async () => {
    const broken = new Error(`could not read ${canary}`);
    const errors: Array<unknown> = [
      authHeaders(apiKey(`${canary}\n`), 0),
      authHeaders(chatgpt("a", { accountId: `${canary}\u0000` }), 0),
      authHeaders(
        agent("t", () => {
          throw new Error(canary);
        }),
        0,
      ),
      await rejection(
        createAuthenticatedFetch({ provider, manager: brokenManager(broken) })("/x", {
          method: "POST",
          body: canary,
        }),
      ),
      await rejection(
        createAuthenticatedFetch({
          provider,
          manager: managerOf(apiKey()),
          otherOrigins: "reject",
        })(`https://${canary}:${canary}@other.example/${canary}?${canary}`),
      ),
      await rejection(
        createAuthenticatedFetch({ provider, manager: managerOf(apiKey()) })(`../${canary}`),
      ),
      await Effect.runPromise(
        Effect.flip(
          runTokenCommand({
            command: process.execPath,
            args: ["-e", "process.exit(1)", canary].map((arg) => Redacted.make(arg)),
            timeoutMs: 5000,
            refreshIntervalMs: 0,
          }),
        ),
      ),
    ];
    for (const error of errors)
      expect(
        printed(Result.isResult(error) && Result.isFailure(error) ? error.failure : error),
      ).not.toContain(canary);
  });
});
