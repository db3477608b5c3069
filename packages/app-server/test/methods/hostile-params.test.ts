import { describe, expect, it } from "vitest";
import type { AccountConnection } from "../../src/methods/index.ts";
import { handleAccountMethods } from "../../src/methods/index.ts";
import { openAccountService } from "../../src/promises/index.ts";
import { openHome } from "../support/home.ts";

/** The longest list of a value that fits into a message of 256 KiB, beside members that are not known. */
const unknownMembers = (count: number) =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`k${index}`, 1]));

const connected = async (told: string[] = []) => {
  const service = await openAccountService({ variables: { CODEX_HOME: await openHome() } });
  const connection: AccountConnection = handleAccountMethods(service, {
    notify: (method) => void told.push(method),
    request: () => Promise.reject(new Error("not expected")),
  });
  return { connection, service, [Symbol.asyncDispose]: service.close };
};

const clientInfo = { name: "test", version: "1" };

describe("the parameters of a hostile client", () => {
  it.each([
    [
      "an opt-out list of 60,000 numbers behind 12,000 unknown members",
      {
        ...unknownMembers(12_000),
        clientInfo,
        capabilities: { optOutNotificationMethods: Array.from({ length: 60_000 }, () => 1) },
      },
      "Invalid request: invalid type: integer `1`, expected a string",
    ],
    [
      "an opt-out list of 50,000 nulls",
      {
        clientInfo,
        capabilities: { optOutNotificationMethods: Array.from({ length: 50_000 }, () => null) },
        ...unknownMembers(1_000),
      },
      "Invalid request: invalid type: null, expected a string",
    ],
    [
      "a wrong member behind 20,000 unknown ones",
      { ...unknownMembers(20_000), clientInfo: 5 },
      "Invalid request: invalid type: integer `5`, expected struct",
    ],
  ])("%s are refused with less than a second of work", async (_, params, message) => {
    await using server = await connected();
    const before = process.threadCpuUsage();
    const answer = await server.connection.request("initialize", params);
    expect(answer).toMatchObject({ error: { code: -32600, message } });
    const { system, user } = process.threadCpuUsage(before);
    expect(system + user).toBeLessThan(1_000_000); // microseconds
  });

  it("a name of 256 characters is accepted, a longer one is not repeated in full", async () => {
    await using server = await connected();
    const long = { clientInfo: { name: "n".repeat(200_000), version: "1" } };
    const answer = await server.connection.request("initialize", long);
    expect(answer).toMatchObject({
      error: { data: { code: "APP_SERVER_INVALID_CLIENT_NAME", remedy: "fixInput" } },
    });
    expect(JSON.stringify(answer).length).toBeLessThan(600);
    const most = { clientInfo: { name: "n".repeat(256), version: "1" } };
    expect(await server.connection.request("initialize", most)).toHaveProperty("result");
  });

  it("an opt-out list of 20,000 names costs nothing after the handshake, and counts", async () => {
    const told: string[] = [];
    await using server = await connected(told);
    const names = Array.from({ length: 20_000 }, (_, index) => `name-${index}`);
    const optOutNotificationMethods = [...names, "account/updated"];
    const params = { clientInfo, capabilities: { optOutNotificationMethods } };
    await server.connection.request("initialize", params);
    await server.connection.request("account/login/start", { type: "apiKey", apiKey: "sk-test" });
    await expect
      .poll(() => told)
      .toEqual(["remoteControl/status/changed", "account/login/completed"]);
  });

  it.each(["__proto__", "constructor", "toString", "hasOwnProperty"])(
    "a method named %s is an unknown one",
    async (method) => {
      await using server = await connected();
      await server.connection.request("initialize", { clientInfo });
      const answer = await server.connection.request(method, {});
      expect(answer).toMatchObject({ error: { code: -32600 } });
      expect(JSON.stringify(answer)).toContain(`unknown variant \`${method}\``);
    },
  );
});
