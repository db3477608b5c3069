import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";

const run = promisify(execFile);

/** URLs of the modules that a new process has loaded after importing this one. */
const loadedBy = async (module: string): Promise<ReadonlyArray<string>> => {
  const url = new URL(`../src/${module}.ts`, import.meta.url).href;
  const script = `
    import { registerHooks } from "node:module";
    const seen = new Set();
    registerHooks({ load: (url, context, next) => { seen.add(url); return next(url, context); } });
    await import(${JSON.stringify(url)});
    console.log(JSON.stringify([...seen]));`;
  const { stdout } = await run(process.execPath, [
    "--conditions=@agent-auth/source",
    "--input-type=module",
    "--eval",
    script,
  ]);
  const urls: unknown = JSON.parse(stdout);
  if (!Array.isArray(urls)) throw new Error("no list of modules");
  return urls.map(String);
};

describe("importing", () => {
  it.each([
    "promises/index",
    "fetch/index",
    "signing/headers",
    "dispatcher/index",
    "websocket/index",
    "signing/index",
  ])("%s loads neither undici, nor child_process, nor the keyring", async (module) => {
    const loaded = await loadedBy(module);
    expect(loaded.length).toBeGreaterThan(10);
    expect(
      loaded.filter((url) =>
        /node_modules\/undici\/|node:child_process|keyring.*\.node$|\/playwright/.test(url),
      ),
    ).toEqual([]);
  });

  it.each(["fetch/index", "signing/headers", "provider/index"])(
    "%s loads only the credential module and one error of login",
    async (module) => {
      const ofLogin = (await loadedBy(module)).filter((url) => url.includes("/packages/login/"));
      const allowed = /\/src\/(?:credential\/|errors\/model-provider\.ts)/;
      expect(ofLogin.filter((url) => !allowed.test(url))).toEqual([]);
    },
  );
});
