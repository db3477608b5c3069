export default {
  build: {
    ssr: "../request.mjs",
    outDir: "out",
    rolldownOptions: { output: { entryFileNames: "[name].mjs" } },
  },
  // Everything is bundled, except what is native or optional. By default, vite leaves all packages outside.
  ssr: { noExternal: true, external: ["koffi", "@napi-rs/keyring", "@grpc/grpc-js"] },
};
