import * as Effect from "effect/Effect";
import { describe, expect, it } from "vitest";
import { openAuthority, openHome, chatgptDocument, withManager } from "./fixture.ts";

// A refresh that fails before the authority answers: the advice is that of the failed request.

const unreachable = "https://authority.invalid/oauth/token";

describe("a refresh that cannot reach the authority", () => {
  it.each<[string, Readonly<Record<string, string>>, object]>([
    [
      "a missing certificate bundle",
      { CODEX_CA_CERTIFICATE: "/nonexistent/roots.pem" },
      {
        attempts: 1,
        remedy: "fixEnvironment",
        hint: "Set CODEX_CA_CERTIFICATE to a PEM file with certificates.",
      },
    ],
    [
      "a proxy that does not run",
      { HTTPS_PROXY: "http://127.0.0.1:1", CODEX_REFRESH_TOKEN_URL_OVERRIDE: unreachable },
      {
        attempts: 3,
        remedy: "fixNetwork",
        hint: "Check that the proxy in HTTPS_PROXY is running.",
      },
    ],
    [
      "a proxy of another kind",
      { HTTPS_PROXY: "ftp://127.0.0.1:1", CODEX_REFRESH_TOKEN_URL_OVERRIDE: unreachable },
      {
        attempts: 1,
        remedy: "fixEnvironment",
        hint: "Set HTTPS_PROXY to the URL of an http or https proxy.",
      },
    ],
    [
      "a name that does not resolve",
      { CODEX_REFRESH_TOKEN_URL_OVERRIDE: unreachable },
      { attempts: 3, remedy: "fixNetwork", hint: "Check the network, then try again." },
    ],
    [
      "plain http to another machine",
      { CODEX_REFRESH_TOKEN_URL_OVERRIDE: "http://authority.invalid/oauth/token" },
      { attempts: 1, remedy: "fixConfig", hint: "Use https, or a loopback address." },
    ],
  ])("says what to do about %s, also to the next program", async (_, env, expected) => {
    const authority = await openAuthority();
    const home = await openHome();
    await home.write(await chatgptDocument(authority, { expiresInSeconds: -10 }));
    const options = { loadAtStart: false };
    for (let program = 1; program <= 2; program++)
      expect(
        await withManager({ home, authority, env, options }, (manager) =>
          Effect.flip(manager.current),
        ),
      ).toMatchObject({ code: "LOGIN_REFRESH_FAILED", ...expected });
    expect(authority.count("refresh")).toBe(0);
  });

  it("names the variable for the root certificate of an authority that is not trusted", async () => {
    const authority = await openAuthority({ tls: "self-signed" });
    const home = await openHome();
    await home.write(await chatgptDocument(authority, { expiresInSeconds: -10 }));
    const error = await withManager(
      { home, authority, options: { loadAtStart: false } },
      (manager) => Effect.flip(manager.current),
    );
    expect(error).toMatchObject({
      code: "LOGIN_REFRESH_FAILED",
      hint: expect.stringContaining("CODEX_CA_CERTIFICATE"),
    });
  });
});
