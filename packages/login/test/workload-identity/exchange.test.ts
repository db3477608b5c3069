import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import * as Effect from "effect/Effect";
import { describe, expect, it } from "vitest";
import { later, withManager } from "../manager/fixture.ts";
import { type FileSetup, openFileIdentity } from "./fixture.ts";

const failure = (setup: FileSetup) => withManager(setup, (manager) => Effect.flip(manager.current));

type Change = Readonly<Record<string, unknown>>;

/** What the authority would answer, with some members replaced; undefined removes one. */
const answerWith = ({ authority }: FileSetup, change: Change): void => {
  authority.behave("workloadExchange", {
    change: (response) => ({
      ...response,
      body: JSON.stringify({
        ...JSON.parse(typeof response.body === "string" ? response.body : ""),
        ...change,
      }),
    }),
  });
};

describe("the answer to an exchange", () => {
  it.each<[string, Change, string]>([
    ["no access token", { access_token: undefined }, "access_token missing or of the wrong type"],
    ["a blank access token", { access_token: " " }, "access_token missing or of the wrong type"],
    ["an opaque access token", { access_token: "opaque" }, "access_token is not a JWT"],
    ["another token type", { token_type: "mac" }, "token_type missing or of the wrong type"],
    [
      "no issued type",
      { issued_token_type: undefined },
      "issued_token_type missing or of the wrong type",
    ],
    ["no life", { expires_in: 0 }, "expires_in missing or of the wrong type"],
    [
      "a life of more than an hour",
      { expires_in: 3601 },
      "expires_in missing or of the wrong type",
    ],
    ["a negative life", { expires_in: -60 }, "expires_in missing or of the wrong type"],
    ["a life in text", { expires_in: "3600" }, "expires_in missing or of the wrong type"],
    ["a life without end", { expires_in: 1e300 }, "expires_in missing or of the wrong type"],
    ["an empty scope", { scope: "" }, "scope missing or of the wrong type"],
    ["another user", { user_id: "user-2" }, "access_token belongs to another user than user_id"],
    [
      "another account",
      { chatgpt_account_id: "acct-2" },
      "access_token belongs to another account than chatgpt_account_id",
    ],
    [
      "no account user",
      { chatgpt_account_user_id: null },
      "chatgpt_account_user_id missing or of the wrong type",
    ],
  ])("is refused with %s", async (_, change, reason) => {
    const setup = await openFileIdentity();
    answerWith(setup, change);
    const error = await failure(setup);
    expect(error.message).toBe("the workload identity token exchange returned an invalid response");
    expect(error).toMatchObject({ code: "LOGIN_WORKLOAD_IDENTITY_RESPONSE_INVALID", reason });
  });

  it("may spell the token type in any case and leave out the plan", async () => {
    const setup = await openFileIdentity();
    answerWith(setup, { token_type: "bEARER", chatgpt_plan_type: null, api_project_id: "p" });
    const credential = await withManager(setup, (manager) => manager.current);
    expect(credential._tag).toBe("Some");
  });

  it("is not shown if it is an error, and a redirect is not followed", async () => {
    const setup = await openFileIdentity();
    setup.authority.behave("workloadExchange", {
      status: 307,
      headers: { location: "/oauth/token" },
      body: "canary",
    });
    const error = await failure(setup);
    expect(error.message).toBe("the workload identity token exchange was rejected with HTTP 307");
    expect(JSON.stringify(error)).not.toContain("canary");
    expect(setup.authority.count("workloadExchange")).toBe(1);
  });

  it("that says how long to wait, longer than a request may, ends the attempts", async () => {
    const setup = await openFileIdentity();
    setup.authority.behave("workloadExchange", { status: 429, headers: { "retry-after": "60" } });
    const error = await failure(setup);
    expect(error).toMatchObject({ status: 429, retryAfterMs: 60_000, remedy: "retry" });
    expect(setup.authority.count("workloadExchange")).toBe(1);
  });
});

describe("a token file", () => {
  it("is trimmed", async () => {
    const setup = await openFileIdentity();
    const token = await setup.authority.mintIdentityToken();
    await setup.writeToken(`\uFEFF\n ${token}\r\n`);
    await withManager(setup, (manager) => manager.current);
    expect(setup.authority.requestsTo("workloadExchange")[0]?.form().get("assertion")).toBe(token);
  });

  it.each<[string, (setup: FileSetup) => Promise<unknown>, string]>([
    [
      "is empty",
      ({ writeToken }) => writeToken(" \n"),
      "the workload identity assertion is invalid",
    ],
    [
      "contains NUL",
      ({ writeToken }) => writeToken("a\0b"),
      "the workload identity assertion is invalid",
    ],
    [
      "contains two tokens",
      ({ writeToken }) => writeToken("a.b.c\r\nd.e.f\r\n"),
      "the workload identity assertion is invalid",
    ],
    [
      "contains a second byte order mark",
      ({ writeToken }) => writeToken("a.b.c\n\uFEFFd.e.f"),
      "the workload identity assertion is invalid",
    ],
    [
      "is not UTF-8",
      ({ tokenFile }) => writeFile(tokenFile, Buffer.from([0xff, 0xfe, 0x41])),
      "the workload identity assertion is invalid",
    ],
    [
      "is too long",
      ({ writeToken }) => writeToken("a".repeat(16_385)),
      "the workload identity assertion exceeds 16 KiB",
    ],
    [
      "is very long",
      ({ writeToken }) => writeToken("a".repeat(1_000_000)),
      "the workload identity assertion exceeds 16 KiB",
    ],
  ])("is refused if it %s", async (_, prepare, message) => {
    const setup = await openFileIdentity();
    await prepare(setup);
    const error = await failure(setup);
    expect(error).toMatchObject({ code: "LOGIN_IDENTITY_TOKEN_UNAVAILABLE", message });
    expect(setup.authority.requests).toEqual([]);
  });

  it.each<[string, (path: string) => Promise<unknown> | void, string]>([
    ["is missing", () => undefined, "there is no such file or folder"],
    ["is a folder", (path) => mkdir(path), "it is a folder"],
    ["is a pipe", (path) => void execFileSync("mkfifo", [path]), "it is not a regular file"],
  ])("is refused if it %s", async (_, make, reason) => {
    const setup = await openFileIdentity();
    const path = join(setup.home.path, "other");
    await make(path);
    const error = await failure({
      ...setup,
      env: { ...setup.env, OPENAI_IDENTITY_TOKEN_FILE: path },
    });
    expect(error.message).toBe(`could not read workload identity assertion file ${path}`);
    expect(error.hint).toBe(`Reason: ${reason}. Make it a regular file that this user may read.`);
    expect(error.remedy).toBe("fixEnvironment");
  });

  it.each<[string, (path: string) => Promise<unknown>]>([
    ["did not exist at first", (path) => rm(path)],
    ["was empty at first", (path) => writeFile(path, "")],
    ["was half written at first", (path) => writeFile(path, "a\nb")],
  ])("is used after a pause if it %s", async (_, spoil) => {
    const setup = await openFileIdentity();
    const token = await readFile(setup.tokenFile, "utf8");
    await spoil(setup.tokenFile);
    await withManager(setup, (manager) =>
      Effect.gen(function* () {
        yield* Effect.flip(manager.current);
        yield* Effect.promise(() => setup.writeToken(token));
        yield* Effect.flip(manager.current);
        expect(setup.authority.requests).toEqual([]);
        expect((yield* later(2_500, manager.current))._tag).toBe("Some");
      }),
    );
  });
});
