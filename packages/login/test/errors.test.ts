import { describe, expect, it } from "vitest";
import * as errors from "../src/errors/index.ts";

const source = { _tag: "File", path: "/home/auth.json" } as const;

/** One of each class that this file's owner has; storage and sign-in errors are pinned by their own tests. */
const samples = [
  new errors.CredentialUnusable({ source, reason: "the API key is empty" }),
  new errors.NotSignedIn(),
  new errors.ExternalProviderFailed({ provider: "the editor", reason: "closed" }),
  new errors.PersonalAccessTokenRejected({ status: 401 }),
  new errors.PersonalAccessTokenLookupFailed({ reason: "timed out" }),
  new errors.LoginInputInvalid({ what: "API key", reason: "it is empty" }),
  new errors.EnvironmentCredentialOverrides({ variable: "CODEX_API_KEY" }),
  new errors.PersistentStoreRequired(),
  new errors.RefreshRejected({ reason: "other" }),
  new errors.RefreshAccountChanged({}),
  new errors.RefreshFailed({ attempts: 1, reason: "timed out" }),
  new errors.RefreshUnsupported({ kind: "ApiKey" }),
  new errors.CredentialForbidden({ text: "no", rule: "method", source, loggedOut: true }),
  new errors.LoginMethodDisabled({ method: "apiKey" }),
  new errors.WorkspaceNotAllowed({ allowed: ["a"] }),
  new errors.ManagerClosed(),
];

describe("errors", () => {
  it("have their own code, a message and one next step", () => {
    expect(new Set(samples.map(({ code }) => code)).size).toBe(samples.length);
    for (const { code, hint, message } of samples) {
      expect(code).toMatch(/^LOGIN_[A-Z_]+$/);
      expect(message).not.toBe("");
      expect(hint).toMatch(/^[A-Z].*\.$/);
    }
  });

  it("are distinguished from other thrown values", () => {
    for (const error of samples) expect(errors.isLoginError(error)).toBe(true);
    const systemError = Object.assign(new Error("no such file"), { code: "ENOENT" });
    for (const other of [new Error("x"), systemError, { code: "LOGIN_X" }, "text", null])
      expect(errors.isLoginError(other)).toBe(false);
  });

  it("name their source as a person would", () => {
    expect(
      [
        source,
        { _tag: "Environment", variable: "CODEX_API_KEY" } as const,
        { _tag: "Keyring", service: "Codex Auth", account: "cli|0123" } as const,
        { _tag: "Ephemeral" } as const,
        { _tag: "External", name: "the editor" } as const,
      ].map(errors.describeSource),
    ).toEqual([
      "/home/auth.json",
      "CODEX_API_KEY",
      "OS keyring",
      "memory of this process",
      "the editor",
    ]);
  });
});
