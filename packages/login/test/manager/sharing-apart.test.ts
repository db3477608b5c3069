import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { rootCertificates } from "node:tls";
import type { TestAuthority } from "@agent-auth/test-authority";
import { describe, expect, it } from "vitest";
import type { Variables } from "../../src/config/environment.ts";
import { createAuthManager } from "../../src/promises/index.ts";
import { type Home, managerOptions, openAuthority, openHome, withManager } from "./fixture.ts";

interface Program {
  readonly home: Home;
  readonly authority: TestAuthority;
  readonly jwt: string;
}

const openProgram = async (): Promise<Program> => {
  const authority = await openAuthority();
  const jwt = await authority.mintAgentIdentityJwt();
  return { home: await openHome(), authority, jwt };
};

const manager = async (
  { jwt, home, authority }: Program,
  env: Variables,
  more: { readonly allowInsecureHttp?: boolean } = {},
) => {
  const variables = { CODEX_AGENT_IDENTITY: jwt, ...env };
  const { config, environment } = await managerOptions({ home, authority, env: variables });
  return createAuthManager({ config, environment, environmentCredentials: true, ...more });
};

/** The certificate of somebody who has signed nothing here: requests work with it and without. */
const caBundle = (home: Home): string => {
  const path = join(home.path, "roots.pem");
  writeFileSync(path, rootCertificates[0] ?? "");
  return path;
};

const proxy = "http://ada:canary@127.0.0.1:9";

describe("managers of one process that reach the network differently", () => {
  it.each([
    {
      name: "CODEX_CA_CERTIFICATE",
      env: (home: Home) => ({ CODEX_CA_CERTIFICATE: caBundle(home) }),
    },
    { name: "HTTPS_PROXY", env: () => ({ HTTPS_PROXY: proxy }) },
    { name: "HTTP_PROXY", env: () => ({ HTTP_PROXY: proxy }) },
    { name: "NO_PROXY", env: () => ({ NO_PROXY: "example.com" }) },
    { name: "allowInsecureHttp", env: () => ({}), options: { allowInsecureHttp: true } },
  ])("do not believe each other's key set: $name", async ({ env, options }) => {
    const program = await openProgram();
    await using plain = await manager(program, {});
    await using other = await manager(program, env(program.home), options);
    await Promise.all([plain.current(), other.current()]);
    expect(program.authority.count("jwks")).toBe(2);
    await using later = await manager(program, env(program.home), options);
    await later.current();
    expect(program.authority.count("jwks")).toBe(2);
  });

  it("fail by themselves where their own setting cannot be used, whatever others have fetched", async () => {
    const program = await openProgram();
    await using plain = await manager(program, {});
    await plain.current();
    const missing = join(program.home.path, "missing.pem");
    await using other = await manager(program, { CODEX_CA_CERTIFICATE: missing });
    await expect(other.current()).rejects.toThrow(`CODEX_CA_CERTIFICATE: cannot use ${missing}`);
  });

  it("share where only the password of their proxy differs", async () => {
    const program = await openProgram();
    await using one = await manager(program, { HTTPS_PROXY: proxy });
    await one.current();
    await using other = await manager(program, { HTTPS_PROXY: "127.0.0.1:9" });
    await other.current();
    expect(program.authority.count("jwks")).toBe(1);
  });
});

describe("programs that keep key sets in the same CODEX_HOME", () => {
  it("do not believe a set that was fetched with other roots", async () => {
    const { home, authority, jwt } = await openProgram();
    const load = (env: Variables) =>
      withManager(
        {
          home,
          authority,
          env: { CODEX_AGENT_IDENTITY: jwt, ...env },
          options: { keepJwksOnDisk: true },
        },
        (it) => it.current,
      );
    await load({ CODEX_CA_CERTIFICATE: caBundle(home) });
    await load({});
    await load({});
    expect(authority.count("jwks")).toBe(2);
  });
});
