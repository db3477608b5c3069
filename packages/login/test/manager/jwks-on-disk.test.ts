import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { rootCertificates } from "node:tls";
import { describe, expect, it } from "vitest";
import type { Variables } from "../../src/config/environment.ts";
import { openAuthority, openHome, withManager } from "./fixture.ts";

const proxy = "http://ada:canary@127.0.0.1:9";

const openPrograms = async () => {
  const authority = await openAuthority();
  const jwt = await authority.mintAgentIdentityJwt();
  const home = await openHome();
  const load = (env: Variables, allowInsecureHttp = false) =>
    withManager(
      {
        home,
        authority,
        env: { CODEX_AGENT_IDENTITY: jwt, ...env },
        options: { keepJwksOnDisk: true, allowInsecureHttp },
      },
      (it) => it.current,
    );
  return { authority, home, load };
};

describe("programs that cache key sets in the same CODEX_HOME", () => {
  it.each<[string, Variables, boolean]>([
    ["CODEX_CA_CERTIFICATE", { CODEX_CA_CERTIFICATE: "roots.pem" }, false],
    ["HTTPS_PROXY", { HTTPS_PROXY: proxy }, false],
    ["HTTP_PROXY", { HTTP_PROXY: proxy }, false],
    ["NO_PROXY", { NO_PROXY: "example.com" }, false],
    ["allowInsecureHttp", {}, true],
  ])(
    "do not use a set that was fetched with another setting of %s",
    async (_, env, allowInsecureHttp) => {
      const { authority, home, load } = await openPrograms();
      const path = join(home.path, "roots.pem");
      writeFileSync(path, rootCertificates[0] ?? "");
      const other =
        env["CODEX_CA_CERTIFICATE"] === undefined ? env : { CODEX_CA_CERTIFICATE: path };
      await load(other, allowInsecureHttp);
      await load({});
      await load({});
      expect(authority.count("jwks")).toBe(2);
    },
  );

  it("use one set if only the password of their proxy differs", async () => {
    const { authority, load } = await openPrograms();
    await load({ HTTPS_PROXY: proxy });
    await load({ HTTPS_PROXY: "127.0.0.1:9" });
    expect(authority.count("jwks")).toBe(1);
  });
});
