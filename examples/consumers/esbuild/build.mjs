import { build } from "esbuild";

const options = {
  entryPoints: ["../request.mjs"],
  bundle: true,
  platform: "node",
  // Native, and optional; @grpc/grpc-js is only needed for SPIFFE.
  external: ["koffi", "@napi-rs/keyring", "@grpc/grpc-js"],
  logLevel: "error",
};

await build({ ...options, format: "cjs", outfile: "out/request.cjs" });
await build({
  ...options,
  format: "esm",
  outfile: "out/request.mjs",
  // undici is CommonJS and requires modules of Node.
  banner: {
    js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);',
  },
});
