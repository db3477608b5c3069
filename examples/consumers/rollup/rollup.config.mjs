import commonjs from "@rollup/plugin-commonjs";
import { nodeResolve } from "@rollup/plugin-node-resolve";

// Format cjs rejects top-level await: neither the packages nor the program use it.
export default {
  input: "../request.mjs",
  external: [/^node:/, "koffi", "@napi-rs/keyring", "@grpc/grpc-js"],
  plugins: [nodeResolve({ preferBuiltins: true, exportConditions: ["node"] }), commonjs()],
  output: { dir: "out", format: "cjs", entryFileNames: "[name].cjs" },
};
