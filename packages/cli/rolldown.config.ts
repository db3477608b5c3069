import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { defineConfig, type Plugin, type RolldownOptions } from "rolldown";
import { asciiOnly } from "./build/ascii-only.ts";
import { eagerFunctions } from "./build/eager-functions.ts";
import { lazyBuiltins } from "./build/lazy-builtins.ts";
import { leanEffect } from "./build/lean-effect.ts";
import { leanUndici } from "./build/lean-undici.ts";
import { oneRedacted } from "./build/one-redacted.ts";
import { oneStartFile } from "./build/one-start-file.ts";
import { sweepStale } from "./build/sweep-stale.ts";
import { thirdPartyLicenses } from "./build/third-party-licenses.ts";

const { version } = JSON.parse(readFileSync(new URL("package.json", import.meta.url), "utf8"));

const stale = sweepStale(new URL("dist", import.meta.url).pathname);

const licenses = thirdPartyLicenses("THIRD-PARTY-LICENSES.txt");

/** The launcher loads the other bundles from its own folder and uses their exports, not a copy of them. */
const launcherLoadsSiblings: Plugin = {
  name: "launcher-loads-siblings",
  resolveId(id, importer) {
    const isSibling = importer?.endsWith("/src/bin.ts") === true && id.startsWith("./");
    return isSibling ? { id: `./${basename(id, ".ts")}.cjs`, external: true } : null;
  },
  renderChunk: (code) =>
    code
      .replaceAll(/__toESM\((require\("\.\/[\w-]+\.cjs"\))(?:, 1)?\)/gu, "$1")
      .replaceAll('require("node:', 'require("'), // Node before 14.18 does not know the prefix
};

/**
 * One copy for all bundles: of undici only the parts that are used (src/undici.cjs), of gRPC (src/grpc.ts), and of what
 * opens a shared store. The last has its own copy of Effect: a part that is loaded on demand makes what a bundle starts with
 * larger, by everything that both use (docs/decisions/0088-shared-store-in-a-bundle-of-its-own.md).
 */
const siblings: ReadonlyMap<string, string> = new Map([
  ["undici/index.js", "./undici.cjs"],
  ["@grpc/grpc-js", "./grpc.cjs"],
  ["./shared-store.ts", "./shared-store.cjs"],
]);

const sharedAreSiblings: Plugin = {
  name: "shared-are-siblings",
  resolveId: (id) => {
    const sibling = siblings.get(id);
    return sibling === undefined ? null : { id: sibling, external: true };
  },
};

interface Bundle {
  readonly name: string;
  readonly input: string;
  readonly plugins?: Plugin[];
  /** Whether nothing in it is loaded on demand. */
  readonly isOneFile?: boolean;
  /** The oldest JavaScript that its output may need; default: that of the oldest supported Node. */
  readonly target?: string;
  /** Those that work on the text of the files as it will be. */
  readonly late?: Plugin[];
  /** Those that work on what all bundles left behind. */
  readonly last?: Plugin[];
}

// A launcher that loads nothing, and what it loads on demand. A hot command is a bundle of its own, so that it holds
// only what it uses.
const bundle = ({
  name,
  input,
  target,
  isOneFile = false,
  plugins = [],
  late = [],
  last = [],
}: Bundle): RolldownOptions => ({
  input: { [name]: input },
  platform: "node",
  // Optional packages with native code or WebAssembly; loaded at run time, if at all.
  external: ["@napi-rs/keyring", "bufferutil", "jq-wasm", "koffi", "utf-8-validate"],
  resolve: { conditionNames: ["@agent-auth/source", "node", "import", "default"] },
  transform: {
    define: { __VERSION__: JSON.stringify(version) },
    ...(target !== undefined && { target }),
  },
  plugins: [
    ...plugins,
    ...(isOneFile ? [] : [oneStartFile()]),
    asciiOnly(),
    ...late,
    licenses.collect,
    stale.note,
    ...last,
  ],
  output: {
    dir: "dist",
    format: "cjs",
    minify: true,
    // Few files, since each costs a quarter of a millisecond: what a bundle starts with, what its parts share, and
    // one for each part that is loaded on demand.
    codeSplitting: isOneFile
      ? false
      : {
          groups: [
            { name: "start", tags: ["$initial"], priority: 1 },
            ...(name === "main" ? [{ name: "shared", minShareCount: 2 }] : []),
          ],
        },
    dynamicImportInCjs: false,
    entryFileNames: "[name].cjs",
    chunkFileNames: `${name}-[name]-[hash].cjs`,
  },
});

const command = (name: string, late: Plugin[] = []): Bundle => ({
  name,
  input: `src/entries/${name}.ts`,
  plugins: [sharedAreSiblings, leanEffect(), oneRedacted(), lazyBuiltins()],
  late,
});

export default defineConfig([
  bundle({
    name: "agent-auth",
    input: "src/bin.ts",
    plugins: [launcherLoadsSiblings],
    target: "es2015", // it has to say on any Node that the Node is too old
  }),
  // With ChatGPT, token asks about the workspace.
  bundle(command("token", [eagerFunctions(["api-key", "configured"])])),
  bundle(command("api")),
  bundle(command("app-server")),
  bundle(command("login-status", [eagerFunctions(["api-key", "configured", "chatgpt"])])),
  bundle({
    name: "main",
    input: "src/main.ts",
    plugins: [sharedAreSiblings, leanEffect(), oneRedacted(), lazyBuiltins()],
  }),
  bundle({
    name: "shared-store",
    input: "src/shared-store.ts",
    plugins: [leanEffect(), oneRedacted(), lazyBuiltins()],
  }),
  bundle({ name: "grpc", input: "src/grpc.ts", isOneFile: true }),
  bundle({
    name: "undici",
    input: "src/undici.cjs",
    plugins: [leanUndici()],
    last: [licenses.write, stale.sweep],
  }),
]);
