import * as Data from "effect/Data";
import * as Redacted from "effect/Redacted";
import type { AnyAuthManager } from "../../src/credentials/index.ts";
import type { ModelProvider } from "../../src/provider/index.ts";
import { describe, expect, it } from "vitest";
import { agent, apiKey, chatgpt } from "../support/credentials.ts";
import { brokenManager, managerOf } from "../support/managers.ts";
import { providerAt } from "../support/providers.ts";
import { startServer } from "../support/server.ts";
import { rejection, statuses, type OpenClient } from "./open-client.ts";

const command = (script: string, timeoutMs = 5_000): Partial<Parameters<typeof providerAt>[1]> => ({
  requiresOpenaiAuth: false,
  auth: {
    command: process.execPath,
    args: [Redacted.make("-e"), Redacted.make(script)],
    timeoutMs,
    refreshIntervalMs: 0,
  },
});

class StoreBroken extends Data.TaggedError("StoreBroken")<{}> {
  readonly code = "LOGIN_STORE_BROKEN";
  readonly hint = "Repair it.";
}

/** When nothing is sent. */
export const refusalsContract = (name: string, openClient: OpenClient): void => {
  describe(`${name}: nothing is sent`, () => {
    const cases: ReadonlyArray<
      readonly [
        string,
        (url: string) => { provider: ModelProvider; manager?: AnyAuthManager },
        string,
      ]
    > = [
      [
        "no account is signed in",
        (url) => ({ provider: providerAt(url), manager: managerOf(null) }),
        "PROVIDER_SIGN_IN_REQUIRED",
      ],
      [
        "the load fails",
        (url) => ({ provider: providerAt(url), manager: brokenManager(new StoreBroken()) }),
        "LOGIN_STORE_BROKEN",
      ],
      [
        "another library's manager fails",
        (url) => ({ provider: providerAt(url), manager: brokenManager(new RangeError("x")) }),
        "PROVIDER_CREDENTIAL_UNAVAILABLE",
      ],
      [
        "the token is not a legal header value",
        (url) => ({ provider: providerAt(url), manager: managerOf(apiKey("a\nb")) }),
        "PROVIDER_HEADER_INVALID",
      ],
      [
        "the key does not sign",
        (url) => ({
          provider: providerAt(url),
          manager: managerOf(
            agent("t", () => {
              throw new Error("no");
            }),
          ),
        }),
        "PROVIDER_SIGNING_FAILED",
      ],
      [
        "the command fails",
        (url) => ({ provider: providerAt(url, command("process.exit(1)")) }),
        "PROVIDER_TOKEN_COMMAND_FAILED",
      ],
      [
        "the command hangs",
        (url) => ({ provider: providerAt(url, command("setInterval(()=>{},1e3)", 100)) }),
        "PROVIDER_TOKEN_COMMAND_FAILED",
      ],
      [
        "the command prints two lines",
        (url) => ({ provider: providerAt(url, command('console.log("a\\nb")')) }),
        "PROVIDER_HEADER_INVALID",
      ],
    ];
    it.each(cases)("if %s", async (_when, options, code) => {
      await using server = await startServer(statuses(200));
      const one = openClient({ ...options(server.url), maxRetries: 2, retryBaseDelayMs: 0 });
      const error = await rejection(
        one,
        one.send(`${server.url}/x`, { method: "POST", body: "prompt" }),
      );
      expect(error).toMatchObject({ code });
      expect(server.seen).toEqual([]);
    });
  });

  describe(`${name}: TRACE`, () => {
    it.each([
      ["at once", managerOf(chatgpt())],
      ["after a wait", { ...managerOf(chatgpt()), snapshot: () => null }],
    ])("is refused, since its response repeats the headers: %s", async (_when, manager) => {
      await using server = await startServer(statuses(200));
      const one = openClient({ provider: providerAt(server.url), manager });
      const error = await rejection(one, one.send(`${server.url}/x`, { method: "TRACE" }));
      expect(error).toMatchObject({ code: "PROVIDER_METHOD_NOT_ALLOWED", method: "TRACE" });
      expect(server.seen).toEqual([]);
    });
  });
};
