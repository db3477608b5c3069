import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";

const run = promisify(execFile);

/** URLs of the modules that a program loads in its own process. */
const modulesOf = async (program: string): Promise<ReadonlyArray<string>> => {
  const script = `
    import { registerHooks } from "node:module";
    const loaded = [];
    registerHooks({ load: (url, context, next) => (loaded.push(url), next(url, context)) });
    ${program}
    console.log(JSON.stringify(loaded));`;
  const args = ["--conditions=@agent-auth/source", "--input-type=module", "--eval", script];
  const { stdout } = await run(process.execPath, args, { cwd: new URL("..", import.meta.url) });
  const loaded: unknown = JSON.parse(stdout);
  return Array.isArray(loaded) ? loaded.map(String) : [];
};

const heavy = /node_modules\/(?:undici|@noble)\/|\/src\/keys\/sealed-box\.ts/;
const importing = (...modules: ReadonlyArray<string>) =>
  modules.map((name) => `await import("@agent-auth/agent-identity${name}");`).join("\n");

describe("start-up", () => {
  it.each([
    ["the index", [""]],
    ["the verify path", ["/jwt", "/jwks", "/jwks/remote", "/jwks/cache", "/urls"]],
    ["the signing path", ["/keys", "/assertion", "/tasks", "/record"]],
    ["the gateway path", ["/assertion/verifier"]],
    ["the Promise API", ["/promises"]],
  ])("%s loads neither undici nor the sealed box", async (_, modules) => {
    const loaded = await modulesOf(importing(...modules));
    expect(loaded.length).toBeGreaterThan(10);
    expect(loaded.filter((url) => heavy.test(url))).toEqual([]);
  });

  it("a verification with a static JWKS loads neither of them", async () => {
    const loaded = await modulesOf(`
      const { readFileSync } = await import("node:fs");
      const Effect = await import("effect/Effect");
      const { JwksSource, verifyAgentIdentityJwt } = await import("@agent-auth/agent-identity");
      const vectors = JSON.parse(readFileSync("test/vectors/agent-identity-jwt.json", "utf8"));
      await Effect.runPromise(
        verifyAgentIdentityJwt(vectors.accept[0].jwt).pipe(
          Effect.provide(JwksSource.layerStatic(vectors.jwks)),
        ),
      );`);
    expect(loaded.filter((url) => heavy.test(url))).toEqual([]);
  });

  it("the assertion modules do not load jose", async () => {
    const loaded = await modulesOf(importing("/assertion/verifier", "/assertion"));
    expect(loaded.filter((url) => url.includes("node_modules/jose"))).toEqual([]);
  });
});
